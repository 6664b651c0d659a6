/** A plain TCP server as a baseline: echoes blocks of 14 bytes, and swallows everything once it saw a longer chunk. Prints its port as JSON. */
import { createServer } from "node:net";

const ECHO_BYTES_MAX = 1_024;

const server = createServer({ noDelay: true }, (socket) => {
  socket.on("data", (bytes) => {
    if (bytes.length <= ECHO_BYTES_MAX) socket.write(bytes);
  });
  socket.on("error", () => socket.destroy());
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address && typeof address === "object") process.stdout.write(`${JSON.stringify({ address: `127.0.0.1:${address.port}` })}\n`);
});
