/** Another program than ours at the other end of NOTIFY_SOCKET: Python's sockets, one JSON string a datagram. */
import { installPackages } from "./debian.ts";
import type { Workplace } from "./workplace.ts";

const PROGRAM = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print(json.dumps("listening"), flush=True)
while True:
    print(json.dumps(s.recv(65536).decode()), flush=True)
`;

/** Messages as they came. */
export class NotifyReceiver {
  readonly messages: string[] = [];
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Starts one, and installs Python where there is none; a sentence where that cannot be. */
  static async start(place: Workplace): Promise<NotifyReceiver | string> {
    if (Bun.which("python3") === null) {
      const fault = await installPackages(["python3-minimal"]);
      if (fault !== undefined) return `no python3 here: ${fault}`;
    }
    const receiver = new NotifyReceiver(place.at("notify.sock"));
    const child = Bun.spawn(["python3", "-c", PROGRAM, receiver.path], { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
    place.keep(child);
    void receiver.#read(child.stdout);
    await receiver.until("listening", 20_000);
    return receiver;
  }

  /** Resolves when a message with this text has come, from the given place on; throws with all that came. */
  async until(text: string, limitMs = 60_000, from = 0): Promise<void> {
    const deadline = performance.now() + limitMs;
    while (!this.messages.slice(from).some((message) => message.includes(text))) {
      if (performance.now() > deadline) throw new Error(`no ${text} came: ${JSON.stringify(this.messages.slice(from))}`);
      await Bun.sleep(20);
    }
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of stream) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      this.messages.push(...lines.map((line) => String(JSON.parse(line))));
    }
  }
}
