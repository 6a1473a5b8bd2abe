/**
 * The HTTP API of HashiCorp Vault and OpenBao, as far as signing needs it: a token in a header, JSON in both
 * directions, and what their answers mean to an operator.
 */
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { JsonValue } from '@tallystick/core';
import { asObject, utf8 } from '@tallystick/core';
import type { VaultTransitPlace } from './cloud-description.ts';
import { withinTime } from './cloud-service.ts';
import { KeystoreError, TokenUnavailable } from './keystore-error.ts';
import { checkServiceUrl } from './service-url.ts';

const answerLengthMax = 1 << 20;
const connectionsMax = 32;

interface Answer {
  status: number;
  text: string;
}

export class VaultClient implements Disposable {
  readonly #url: URL;
  readonly #namespace: string | null;
  readonly #token: () => string;
  readonly #agent: HttpAgent;

  /** @param token gives the token for each request, since whoever renews it may write another one */
  constructor({ address, namespace, ca }: VaultTransitPlace, token: () => string) {
    this.#url = checkServiceUrl(address);
    this.#namespace = namespace;
    this.#token = token;
    const options = { keepAlive: true, maxSockets: connectionsMax };
    this.#agent =
      this.#url.protocol === 'https:'
        ? new HttpsAgent({ ...options, ...(ca === null ? {} : { ca }) })
        : new HttpAgent(options);
  }

  /**
   * The `data` of an answer. Rejects with KeystoreError: TokenUnavailable where the service is away, sealed or busy.
   * `what` says in messages what was asked for.
   */
  async ask(what: string, path: string, body?: object): Promise<Record<string, JsonValue>> {
    const headers = this.#headers();
    const name = `Vault at ${this.#url.origin}`;
    const { status, text } = await withinTime(name, async (signal) => {
      try {
        return await this.#send(path, headers, body, signal);
      } catch (error) {
        throw unreachable(name, error);
      }
    });
    if (status !== 200) throw refusedBy(name, what, { status, text });
    try {
      return asObject(asObject(JSON.parse(text) as JsonValue, 'answer').data, 'data');
    } catch (error) {
      throw new KeystoreError(`${name} gave an answer that is not Vault's: see what is at that address`, {
        cause: error,
      });
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #headers(): Record<string, string> {
    const token = this.#token();
    if (!/^[\x21-\x7e]+$/.test(token))
      throw new KeystoreError('the Vault token is not one: it has characters that no token has');
    return {
      'x-vault-token': token,
      // Without it some proxies of Vault refuse what a page in a browser could have sent.
      'x-vault-request': 'true',
      ...(this.#namespace === null ? {} : { 'x-vault-namespace': this.#namespace }),
    };
  }

  /** A connection that was kept may be closed by the other side just then: what was asked is asked once more. */
  async #send(
    path: string,
    headers: Record<string, string>,
    body: object | undefined,
    signal: AbortSignal,
  ): Promise<Answer> {
    for (;;) {
      const sent = this.#sendOnce(path, headers, body, signal);
      try {
        return await sent.answer;
      } catch (error) {
        if (
          !sent.isOnKeptConnection() ||
          signal.aborted ||
          !/^(?:ECONNRESET|EPIPE)$/.test(codeOf(error) ?? '')
        )
          throw error;
      }
    }
  }

  #sendOnce(
    path: string,
    headers: Record<string, string>,
    body: object | undefined,
    signal: AbortSignal,
  ): { answer: Promise<Answer>; isOnKeptConnection: () => boolean } {
    const send = this.#url.protocol === 'https:' ? requestHttps : requestHttp;
    const content = body === undefined ? null : utf8(JSON.stringify(body));
    const request = send(new URL(path, this.#url), {
      agent: this.#agent,
      signal,
      method: content === null ? 'GET' : 'POST',
      headers: {
        ...headers,
        ...(content !== null && { 'content-type': 'application/json', 'content-length': content.length }),
      },
    });
    const answer = new Promise<Answer>((resolve, reject) => {
      request.once('error', reject);
      request.once('response', (response) => {
        readAnswer(response).then(resolve, reject);
      });
      request.end(content);
    });
    return { answer, isOnKeptConnection: () => request.reusedSocket };
  }
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > answerLengthMax) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') };
}

/** Errors of TLS by which a server is not who it should be: waiting does not help. */
const untrusted = /^(?:ERR_TLS_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|HOSTNAME_MISMATCH)/;

function unreachable(name: string, error: unknown): KeystoreError {
  const why = error instanceof Error ? error.message || String(codeOf(error)) : String(error);
  if (untrusted.test(codeOf(error) ?? '')) {
    return new KeystoreError(
      `${name} shows a certificate that is not trusted (${why}): describe the key with the CA that the server has`,
      { cause: error },
    );
  }
  return new TokenUnavailable(
    `${name} cannot be reached (${why}): see that it runs, and that nothing is between`,
    {
      cause: error,
    },
  );
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

/** An answer that is a no, as a sentence for the operator. */
function refusedBy(name: string, what: string, answer: Answer): KeystoreError {
  const said = saidIn(answer);
  const { status } = answer;
  if (status === 503) return new TokenUnavailable(`${name} is sealed or in maintenance${said}: unseal it`);
  if (status === 429 || status === 412 || status >= 500)
    return new TokenUnavailable(`${name} does not answer now (${status})${said}: see its log`);
  if (status === 403) {
    return new KeystoreError(
      `${name} does not take the token for ${what}${said}: see whether the token has expired, and that its policy allows this`,
    );
  }
  if (status === 404)
    return new KeystoreError(
      `${name} does not know ${what}${said}: see mount, namespace and name of the key`,
    );
  if (status >= 300 && status < 400)
    return new KeystoreError(
      `${name} sends ${what} elsewhere (${status}), which is not followed: give the active address`,
    );
  return new KeystoreError(`${name} refuses ${what} (${status})${said}: see its log, and the key's settings`);
}

const saidLengthMax = 300;

/** What Vault said in `errors`, in one line. */
function saidIn({ text }: Answer): string {
  try {
    const { errors } = JSON.parse(text) as { errors?: unknown };
    if (!Array.isArray(errors) || errors.length === 0) return '';
    const line = errors.map(String).join('; ').replaceAll(/\s+/g, ' ').slice(0, saidLengthMax);
    return `, and says "${line.trim()}"`;
  } catch {
    // It is something in front of Vault that answers.
    return '';
  }
}
