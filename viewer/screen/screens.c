/* The list of screens (screens.h). */
#include "screens.h"

#include "overview.h"

const struct screen screens[SCREENS] = {
    {'1', "overview", overview_draw},
};

int screen_of_key(int key)
{
    for (int i = 0; i < SCREENS; i++)
        if (screens[i].key == key)
            return i;
    return -1;
}
