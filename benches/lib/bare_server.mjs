// Serves bare.html, and relays every message of one page to the others.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';

const { WebSocketServer } = createRequire(new URL('../../tests/e2e/package.json', import.meta.url))('ws');

/** @returns {Promise<{ url: string, stop: () => void }>} */
export async function startBareServer() {
  const page = readFileSync(new URL('../bare.html', import.meta.url));
  const server = http.createServer((request, response) => response.setHeader('content-type', 'text/html').end(page));
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    socket.on('message', (data) => {
      for (const other of sockets.clients) if (other !== socket) other.send(data.toString());
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    stop() {
      for (const socket of sockets.clients) socket.terminate();
      server.close();
    },
  };
}
