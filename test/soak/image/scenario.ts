import type { ImageWorld } from "./image-world.ts";

/** One thing that images of boxes must stand, tried in virtual machines. */
export type Scenario = {
  /** Under which `--only` finds it. */
  readonly name: string;
  readonly summary: string;
  /** Tries it, noting times in the world's table; gives what is wrong, in sentences. */
  readonly run: (world: ImageWorld) => Promise<readonly string[]>;
};
