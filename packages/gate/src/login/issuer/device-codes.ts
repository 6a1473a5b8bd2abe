/**
 * Device codes (RFC 8628), for a terminal without a browser.
 *
 * Whoever can make a person type a code gets a session of that person, passkey or not. So codes live five minutes, are
 * never part of an address, can hardly be guessed, and what comes of one has neither strength 3 nor a step-up.
 */
import { hostOf } from '../../authenticate/address.ts';
import { type Chance, newSecret, type Proven } from '../people.ts';
import { OAuthError } from './oauth-error.ts';

const lifeMs = 5 * 60_000;
const intervalMs = 5000;
const pendingMax = 1000;
const pendingPerAddressMax = 10;
/** Consonants alone, so that a code spells nothing and is read out without mistakes (RFC 8628, section 6.1). */
const alphabet = 'BCDFGHJKLMNPQRSTVWXZ';
const userCodeLength = 8;

export interface DeviceRequest {
  clientId: string;
  /** IP address of the terminal, for the person to recognize. */
  address: string;
  userAgent: string;
}

interface Device extends DeviceRequest {
  userCode: string;
  endsAt: number;
  /** Milliseconds between polls. */
  interval: number;
  polledAt: number;
  answer: 'pending' | 'denied' | Proven;
}

export interface NewDeviceCode {
  deviceCode: string;
  /** As it is shown: `BCDF-GHJK`. */
  userCode: string;
  expiresInSeconds: number;
  intervalSeconds: number;
}

export class DeviceCodes {
  readonly #devices = new Map<string, Device>();
  readonly #chance: Chance;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  begin(request: DeviceRequest): NewDeviceCode {
    this.#forgetOld();
    const devices = [...this.#devices.values()];
    const host = hostOf(request.address);
    const ofAddress = devices.filter(({ address }) => hostOf(address) === host).length;
    if (devices.length >= pendingMax || ofAddress >= pendingPerAddressMax)
      throw new OAuthError('temporarily_unavailable', 'too many device codes are open: wait five minutes');
    const deviceCode = newSecret(this.#chance);
    const userCode = this.#newUserCode();
    const now = this.#chance.now();
    const times = { endsAt: now + lifeMs, interval: intervalMs, polledAt: now - intervalMs };
    this.#devices.set(deviceCode, { ...request, userCode, ...times, answer: 'pending' });
    return {
      deviceCode,
      userCode: `${userCode.slice(0, 4)}-${userCode.slice(4)}`,
      expiresInSeconds: lifeMs / 1000,
      intervalSeconds: intervalMs / 1000,
    };
  }

  /** Who waits for that code; undefined where nobody does. */
  waiting(userCode: string): DeviceRequest | undefined {
    this.#forgetOld();
    return this.#pending(userCode);
  }

  /** False where nobody waits any longer. */
  answer(userCode: string, answer: 'denied' | Proven): boolean {
    this.#forgetOld();
    const device = this.#pending(userCode);
    if (device === undefined) return false;
    device.answer = answer;
    return true;
  }

  /** Throws OAuthError until the person has agreed, and from then on: a code is good for one answer. */
  take(deviceCode: string, clientId: string): Proven {
    this.#forgetOld();
    const device = this.#devices.get(deviceCode);
    if (device === undefined || device.clientId !== clientId)
      throw new OAuthError('expired_token', 'the device code is unknown or has ended: begin again');
    const now = this.#chance.now();
    const isEarly = now - device.polledAt < device.interval;
    device.polledAt = now;
    if (isEarly) {
      device.interval += intervalMs;
      throw new OAuthError('slow_down', `ask every ${device.interval / 1000} seconds`);
    }
    if (device.answer === 'pending')
      throw new OAuthError('authorization_pending', 'the person has not agreed yet');
    this.#devices.delete(deviceCode);
    if (device.answer === 'denied') throw new OAuthError('access_denied', 'the person has refused');
    const { strength } = device.answer;
    return { ...device.answer, strength: strength === 3 ? 2 : strength, steppedUpAt: null, device: null };
  }

  #pending(userCode: string): Device | undefined {
    const text = userCode.toUpperCase().replace(/[^A-Z]/g, '');
    return [...this.#devices.values()].find(
      (device) => device.userCode === text && device.answer === 'pending',
    );
  }

  #newUserCode(): string {
    for (;;) {
      const code = this.#randomLetters();
      if (this.#pending(code) === undefined) return code;
    }
  }

  /** Bytes that do not divide evenly among the letters are drawn anew. */
  #randomLetters(): string {
    let letters = '';
    while (letters.length < userCodeLength) {
      const [byte = 0] = this.#chance.random(1);
      if (byte < 240) letters += alphabet.charAt(byte % alphabet.length);
    }
    return letters;
  }

  #forgetOld(): void {
    for (const [code, { endsAt }] of this.#devices) {
      if (endsAt <= this.#chance.now()) this.#devices.delete(code);
    }
  }
}
