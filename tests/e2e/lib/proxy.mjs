// A TCP proxy that can go dark: what a lost Wi-Fi does to a WebSocket.
import net from 'node:net';

export class Proxy {
  #server;
  #sockets = new Set();
  #target;
  #dark = false;

  /** @param {string} target e.g. `http://127.0.0.1:8080` */
  static async start(target) {
    const proxy = new Proxy();
    proxy.#target = new URL(target);
    proxy.#server = net.createServer((client) => proxy.#accept(client));
    await new Promise((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  #accept(client) {
    if (this.#dark) {
      client.destroy();
      return;
    }
    const upstream = net.connect(Number(this.#target.port), this.#target.hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ]) {
      this.#sockets.add(from);
      from.on('error', () => {});
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** Cuts what is open and refuses what comes. */
  goDark() {
    this.#dark = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  comeBack() {
    this.#dark = false;
  }

  stop() {
    this.goDark();
    this.#server.close();
  }
}
