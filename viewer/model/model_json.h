/*
 * A sample of a live session as JSON: what `grosr top --json` prints.
 */
#ifndef GROSR_MODEL_JSON_H
#define GROSR_MODEL_JSON_H

#include "model.h"

#include <stdio.h>

/* One line, one object. */
void model_write_json(const struct model *model, FILE *out);

#endif
