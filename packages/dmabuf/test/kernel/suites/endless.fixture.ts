/** A suite that blocks without end, to see that it is killed. */
for (;;);
