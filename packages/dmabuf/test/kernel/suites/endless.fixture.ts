/** A suite that blocks for ever, to see that it is killed. */
for (;;);
