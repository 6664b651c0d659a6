import { config } from "zod";

// Imported before every schema: the library would otherwise try at once whether it may compile code, which the page's
// policy forbids and the browser reports as a breach.
config({ jitless: true });
