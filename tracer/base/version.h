#ifndef GROSR_VERSION_H
#define GROSR_VERSION_H

#define GROSR_VERSION "0.1.0"

#endif
