/**
 * Front door of the simulator: whole networks of the real code under a simulated clock, network and disk, judged by an
 * oracle that does not ask them. One seed is one run, on every machine.
 *
 * The command line imports it, so that the binary can prove itself on the hardware it runs on; nothing else of the product
 * does. It touches no file, socket, clock or randomness of the machine.
 */
export { type LivenessRow, livenessTable } from "./liveness-table.ts";
export { isPlan, PLANS, type Plan } from "./plans.ts";
export { addVerdict, judgeSeed, noFigures, planOf, runSeeds, type SeedRange, type SeedVerdict, type SimFigures } from "./runner.ts";
