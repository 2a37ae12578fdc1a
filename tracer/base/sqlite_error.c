/* The one place where SQLite's result codes become errno (sqlite_error.h). */
#include "sqlite_error.h"

#include <errno.h>

int grosr_sqlite_errno(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return ENOSPC;
    case SQLITE_NOMEM:
        return ENOMEM;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return EACCES;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return EBUSY;
    default:
        return EIO;
    }
}

int grosr_sqlite_db_errno(sqlite3 *db)
{
    int code = sqlite3_extended_errcode(db), system = sqlite3_system_errno(db);

    if ((code & 0xff) == SQLITE_CANTOPEN && system)
        return system;
    /* A failed write of which SQLite has kept no errno is nearly always one of these, too. */
    if (code == SQLITE_IOERR_WRITE &&
        (system == 0 || system == EFBIG || system == ENOSPC || system == EDQUOT))
        return ENOSPC;
    return grosr_sqlite_errno(code);
}
