/**
 * The text that a signature of an HTTP request is over (RFC 9421, section 2.5), for components without parameters: the
 * derived ones that a request has, and header fields.
 */
import { type InnerList, serializeInnerList } from 'structured-headers';

/** A request as its receiver sees it. */
export interface HttpMessage {
  method: string;
  /** Of the URL; it decides which port goes without saying. */
  scheme: 'http' | 'https';
  /** The header Host, or the authority of the URL. */
  authority: string;
  /** Path and query, as they are on the wire. */
  target: string;
  /** Names in lower case; several lines of one name joined by `, `. */
  headers: Readonly<Record<string, string | undefined>>;
}

/** The value of a component; null where the request has none of that name. */
export function componentValue(name: string, message: HttpMessage): string | null {
  if (!name.startsWith('@')) return message.headers[name]?.trim() ?? null;
  const { method, target } = message;
  const at = target.indexOf('?');
  const query = at < 0 ? '' : target.slice(at);
  switch (name) {
    case '@method':
      return method;
    case '@authority':
      return normalAuthority(message);
    case '@target-uri':
      return `${message.scheme}://${normalAuthority(message)}${target}`;
    case '@request-target':
      return target;
    case '@path':
      return (at < 0 ? target : target.slice(0, at)) || '/';
    case '@query':
      return query === '' ? '?' : query;
    default:
      return null;
  }
}

/**
 * null where a component is missing, has parameters, stands twice, or has a line feed, which would let one component
 * look like two.
 */
export function signatureBase(input: InnerList, message: HttpMessage): string | null {
  const lines = new Map<string, string>();
  for (const [name, parameters] of input[0]) {
    if (typeof name !== 'string' || parameters.size > 0 || lines.has(name)) return null;
    const value = componentValue(name, message);
    if (value === null || /[\r\n]/.test(value)) return null;
    lines.set(name, `"${name}": ${value}\n`);
  }
  return `${[...lines.values()].join('')}"@signature-params": ${serializeInnerList(input)}`;
}

function normalAuthority({ scheme, authority }: HttpMessage): string {
  const port = scheme === 'http' ? ':80' : ':443';
  const lower = authority.toLowerCase();
  return lower.endsWith(port) ? lower.slice(0, -port.length) : lower;
}
