/** TLS of a listener: files that are checked before it listens, and taken up again when they change. */
import { unwatchFile, watchFile } from 'node:fs';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { endWithCertificate, readAuthorities, readCertificate } from '@tallystick/witness/tls';
import type { ListenerTls } from '../config.ts';

/** Milliseconds between two looks at the files. */
const lookMs = 500;
/** A peer that has not finished the handshake by then holds a connection and shows nothing. */
const handshakeMsMax = 10_000;

/** Node would answer a request without Host by itself, without a problem. */
const parsing = { requireHostHeader: false } as const;

export interface ServerTimes {
  requestTimeout: number;
  keepAliveTimeout: number;
}

/** Throws Error with a sentence for the operator where the files cannot be used. */
export function createZoneServer(
  tls: ListenerTls | undefined,
  times: ServerTimes,
  handle: RequestListener,
): Server {
  if (tls === undefined) return answering(createHttpServer({ ...times, ...parsing }, handle), handle);
  const server = createHttpsServer(
    {
      ...times,
      ...parsing,
      ...readContext(tls),
      handshakeTimeout: handshakeMsMax,
      requestCert: tls.clientCert !== 'none',
      rejectUnauthorized: tls.clientCert === 'required',
    },
    handle,
  );
  // Before HTTP looks at it: a certificate that nobody vouches for must never look like one that was not shown.
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    if (!socket.authorized && socket.getPeerX509Certificate() !== undefined) socket.destroy();
    else endWithCertificate(socket, Date.now());
  });
  return answering(server, handle);
}

/** Node would answer expectations that nobody knows by itself, without a problem; they may as well be ignored. */
function answering<S extends Server>(server: S, handle: RequestListener): S {
  server.on('checkExpectation', handle);
  return server;
}

function readContext({ cert, key, clientCa, minVersion }: ListenerTls): SecureContextOptions {
  return {
    ...readCertificate(cert, key),
    ...(clientCa !== undefined && { ca: readAuthorities(clientCa) }),
    minVersion,
  };
}

/**
 * Takes the files up again whenever one changes, and on SIGHUP. What cannot be used is told, and the listener goes on
 * as it was. Connections from before end with what is under way on them: their peers were checked against other files.
 */
export function followTls(
  server: Server,
  tls: ListenerTls,
  tell: (outcome: { reloaded: true } | { reloaded: false; why: string }) => void,
): Disposable {
  const files = [tls.cert, tls.key, ...(tls.clientCa === undefined ? [] : [tls.clientCa])];
  const read = (): void => {
    try {
      (server as HttpsServer).setSecureContext(readContext(tls));
      server.closeIdleConnections();
      tell({ reloaded: true });
    } catch (error) {
      tell({ reloaded: false, why: error instanceof Error ? error.message : String(error) });
    }
  };
  process.on('SIGHUP', read);
  for (const file of files) {
    watchFile(file, { interval: lookMs, persistent: false }, (now) => {
      // It is missing for the moment in which it is replaced.
      if (now.mtimeMs !== 0) read();
    });
  }
  return {
    [Symbol.dispose](): void {
      process.off('SIGHUP', read);
      for (const file of files) unwatchFile(file);
    },
  };
}
