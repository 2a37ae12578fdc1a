/* The integer that stands for an SQL NULL among the values of rows. */
#ifndef GROSR_SQL_NULL_H
#define GROSR_SQL_NULL_H

#include <stdint.h>

#define GROSR_NULL INT64_MIN

#endif
