/** What a new system is called and how long its files last, looked at before anything is made: most of it is for good. */
import { parseDuration } from '@tallystick/core';
import type { SystemPorts } from '@tallystick/server';
import { usageError } from '../errors.ts';

export interface InitValues {
  namespace: string;
  name: string;
  origin: string;
  supportEmail?: string;
  supportUrl?: string;
  offlineMax: string;
}

/** Throws a usage error. */
export function checkInitValues(values: InitValues, ports: SystemPorts): void {
  const { namespace, name, origin, supportEmail, supportUrl, offlineMax } = values;
  for (const [value, { isRight, what, todo }] of [
    [namespace, rules.namespace],
    [name, rules.name],
    [origin, rules.origin],
    [supportEmail, rules.mail],
    [supportUrl, rules.web],
    [offlineMax, rules.time],
  ] as const) {
    if (value !== undefined && !isRight(value)) throw usageError(`"${value}" is not ${what}.`, todo);
  }
  const chosen = Object.values(ports).filter((port) => port !== 0);
  if (new Set(chosen).size < chosen.length) {
    throw usageError('Two listeners would have the same port.', 'Give each a port of its own, or 0.');
  }
}

interface Rule {
  isRight: (text: string) => boolean;
  what: string;
  todo: string;
}

const isLine = (text: string): boolean => /^\P{Cc}{1,200}$/u.test(text) && text.normalize('NFC') === text;

const rules = {
  namespace: {
    isRight: (text) => /^[a-z][a-z0-9-]{0,30}$/.test(text),
    what: 'a namespace',
    todo: 'Use lower-case letters, digits and hyphens, at most 31.',
  },
  name: {
    isRight: isLine,
    what: 'a name',
    todo: 'Give one line of 1 to 200 characters in Unicode normalization form C.',
  },
  origin: {
    isRight: (text) => /^[^\s+]{1,200}$/.test(text) && !text.includes('://'),
    what: 'an origin',
    todo: 'Use a name like licenses.example.com/log, without spaces, plus or a scheme.',
  },
  mail: {
    isRight: (text) => isLine(text) && /^[^\s@]+@[^\s@]+$/.test(text),
    what: 'an address for mail',
    todo: 'Give one such as support@example.com.',
  },
  web: {
    isRight: (text) => isLine(text) && /^https?:\/\/\S+$/.test(text) && URL.canParse(text),
    what: 'an address of the web',
    todo: 'Give one such as https://example.com/support.',
  },
  time: {
    isRight: (text) => durationOf(text) > 0,
    what: 'a time that a client may go without fresh proof',
    todo: 'Give one of at least a second, such as P90D or PT12H.',
  },
} satisfies Record<string, Rule>;

function durationOf(text: string): number {
  try {
    return parseDuration(text);
  } catch {
    // Said by the caller.
    return 0;
  }
}
