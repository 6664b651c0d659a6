import { resolve } from "node:path";
import { BoxConsole, LocalAccess } from "../../../appliance/console/index.ts";
import { normalCode } from "../../../appliance/provisioning/index.ts";
import { parseListenAddress } from "../../config/index.ts";
import { createLog } from "../../monitoring/index.ts";
import { systemClock, systemEntropy } from "../../node/index.ts";
import { adminFile } from "../box/admin-file.ts";
import { ConsoleDesk } from "../box/console-desk.ts";
import { boxHomeOf } from "../box/control-client.ts";
import { lockProvisioning, mediumOf, openProvisioner, PROVISION_FLAGS, systemOf, urlsOf } from "../box/provisioning.ts";
import { type Command, CommandFailure, type CommandInput, UsageError } from "../command.ts";
import { untilSignal } from "../signals.ts";
import type { Terminal } from "../terminal.ts";

/** `bizra box console`: the local page of a box, and its provisioning. */
export const boxConsole: Command = {
  name: "box console",
  summary: "Provisions a box and serves its local page until SIGINT or SIGTERM; the code to log in stands in status.txt.",
  flags: {
    ...PROVISION_FLAGS,
    listen: { kind: "text", value: "HOST:PORT", doc: "Where the page is (default 0.0.0.0:8080, for phones beside the box)." },
  },
  async run(input, terminal) {
    const home = resolve(boxHomeOf(input));
    const lock = lockProvisioning(home);
    try {
      return await serve(home, input, terminal);
    } finally {
      lock.release();
    }
  },
};

async function serve(home: string, input: CommandInput, terminal: Terminal): Promise<number> {
  const given = input.flag("listen") ?? "0.0.0.0:8080";
  const listen = parseListenAddress(given);
  if (!listen) throw new UsageError(`expected --listen as host:port, got ${JSON.stringify(given)}`);
  const log = createLog({ level: "info", clock: systemClock, destination: process.stderr, fields: { box: home } });
  const failure = Promise.withResolvers<never>();
  let page: BoxConsole | undefined;
  const urls = (): readonly string[] => (page ? urlsOf(listen.host, page.port) : []);
  const provisioner = openProvisioner(home, input, log, { urls, onForgotten: () => access.endAll() });
  const book = adminFile(home, provisioner);
  const access = new LocalAccess({ book, clock: systemClock, entropy: systemEntropy, normalCode });
  const desk = new ConsoleDesk({
    home,
    medium: mediumOf(input),
    system: systemOf(input),
    provisioner,
    passwordHash: () => book.passwordHash(),
  });
  const opened = BoxConsole.start({
    desk,
    access,
    clock: systemClock,
    log,
    listen,
    onPlan: () => void provisioner.look().catch((error: unknown) => failure.reject(error)),
    onDefect: (error) => failure.reject(error),
  });
  if (!opened.ok) throw new CommandFailure(opened.error);
  page = opened.value;
  terminal.result({ urls: urls() }, () => `The box's page is at ${urls().join("  ")}`);
  provisioner.start((error) => failure.reject(error));
  try {
    await Promise.race([untilSignal(), failure.promise]);
  } finally {
    await page.stop();
    await provisioner.stop();
  }
  return 0;
}
