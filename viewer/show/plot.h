/*
 * Drawing an experiment's report. The drawing itself is a Python script (tests/bench/plot.py), which is part
 * of this program and is run by python3 with the JSON on its standard input.
 */
#ifndef GROSR_PLOT_H
#define GROSR_PLOT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a file can be drawn by its name's ending: .svg or .png. */
bool plot_knows(const char *file);

/* 0, or -errno: a file of that name cannot be written. To be asked before anything takes long. */
int plot_writable(const char *file);

/*
 * Draws `json` into `file`. 0, or a negative errno with grosr_error() set: there is no python3, or no
 * matplotlib, or the drawing failed.
 */
int plot_write(const char *file, const char *json, size_t bytes);

extern const char grosr_plot_script[];

/* The script's exit code when matplotlib is missing. */
#define PLOT_EXIT_NO_MATPLOTLIB 3

#endif
