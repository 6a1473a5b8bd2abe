/** Files for TLS, of a server or a client, checked together before anything uses them. All of them are PEM. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { Agent, type AgentOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import { ConfigError, messageOf } from './errors.ts';

export interface TlsFiles {
  cert: string;
  key: string;
}

/** What a client checks the other side with, and shows of itself. */
export interface ClientTls {
  /** Authorities that are believed in place of the usual ones. */
  ca?: string;
  cert?: string;
  key?: string;
}

/** Where a client's files are. Certificate and key go together. */
export interface ClientTlsPaths {
  caFile?: string;
  certFile?: string;
  keyFile?: string;
}

/**
 * A certificate, with those that lead from it to an authority behind it, and its key. Throws ConfigError where a file
 * is missing or nonsense, where the two do not belong together, and where others than owner and group can read the key.
 */
export function readCertificate(certFile: string, keyFile: string): TlsFiles {
  const mode = reading(keyFile, () => statSync(keyFile).mode & 0o777);
  if ((mode & 0o007) !== 0)
    throw new ConfigError(`${keyFile} has mode ${mode.toString(8)}: run chmod 640 on it`);
  const cert = readPem(certFile, 'CERTIFICATE');
  const key = readPem(keyFile, 'PRIVATE KEY');
  const isItsKey = reading(keyFile, () => new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)));
  if (!isItsKey) throw new ConfigError(`${keyFile} is not the key of the certificate in ${certFile}`);
  return { cert, key };
}

/** Certificates of authorities. Throws ConfigError. */
export function readAuthorities(file: string): string {
  const text = readPem(file, 'CERTIFICATE');
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  for (const block of blocks) {
    const certificate = reading(file, () => new X509Certificate(block));
    if (!certificate.ca)
      throw new ConfigError(`${file}: ${certificate.subject} is no authority; name the one that issued it`);
  }
  if (blocks.length === 0) throw new ConfigError(`${file} holds no whole certificate in PEM`);
  return text;
}

/**
 * Connections to others. The files are read for each new one, so that a renewed certificate needs no restart. Throws
 * ConfigError where they cannot be used now; later that is the error of a connection.
 */
export class ClientTlsAgent extends Agent {
  readonly #paths: ClientTlsPaths;

  constructor(paths: ClientTlsPaths, options: AgentOptions = {}) {
    readClientTls(paths);
    // A session that is resumed would show the certificate of then.
    super({ keepAlive: true, maxCachedSessions: 0, ...options });
    this.#paths = paths;
  }

  override createConnection(
    options: ConnectionOptions,
    onCreated?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    return super.createConnection({ ...options, ...readClientTls(this.#paths) }, onCreated);
  }
}

/** Throws ConfigError. */
export function readClientTls({ caFile, certFile, keyFile }: ClientTlsPaths): ClientTls {
  if ((certFile === undefined) !== (keyFile === undefined))
    throw new ConfigError('a client certificate and its key go together: name both files');
  return {
    ...(caFile !== undefined && { ca: readAuthorities(caFile) }),
    ...(certFile !== undefined && keyFile !== undefined && readCertificate(certFile, keyFile)),
  };
}

function readPem(file: string, label: string): string {
  const text = reading(file, () => readFileSync(file, 'utf8'));
  if (!new RegExp(`-----BEGIN (?:[A-Z]+ )?${label}-----`).test(text))
    throw new ConfigError(`${file} holds no ${label.toLowerCase()} in PEM`);
  return text;
}

function reading<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new ConfigError(`cannot use ${file} for TLS: ${messageOf(error)}`, { cause: error });
  }
}
