/** The pages on which people log in: plain HTML that works without script, but for passkeys. */
import type { DeviceRequest } from '../issuer/device-codes.ts';
import type { ShownSeed } from '../one-time-codes.ts';
import { Html, html } from './html.ts';

/** What every page needs. */
export interface PageParts {
  csrf: string;
  /** What went wrong the last time; null for nothing. */
  problem: string | null;
}

function page(title: string, { csrf, problem }: PageParts, content: Html): string {
  return html`${new Html('<!doctype html>')}
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="csrf" content="${csrf}">
<title>${title} – Tallystick</title>
<link rel="stylesheet" href="/login/login.css">
<script type="module" src="/login/login.js"></script>
</head>
<body><main>
<h1>${title}</h1>
<p role="alert">${problem}</p>
${content}
</main></body>
</html>
`.text;
}

const token = (csrf: string): Html => html`<input type="hidden" name="csrf" value="${csrf}">`;

const codeField: Html = html`<label>Code from your authenticator app
<input name="code" inputmode="numeric" autocomplete="one-time-code" pattern="[0-9]{6}" required></label>`;

export interface LoginPage extends PageParts {
  /** What it is for, in a few words. */
  purpose: string;
  /** Another factor would not do. */
  passkeyOnly: boolean;
  issuers: readonly { issuer: string; name: string }[];
}

export function loginPage(parts: LoginPage): string {
  const { csrf, purpose, passkeyOnly, issuers } = parts;
  const links = issuers.map(({ issuer, name }) => {
    const query = new URLSearchParams({ issuer, csrf }).toString();
    return html`<a class="button" href="/login/oidc?${query}">Continue with ${name}</a>`;
  });
  const password = html`<form method="post" action="/login/password">${token(csrf)}
<label>Email, or your prn_… id <input name="account" autocomplete="username" required></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
${codeField}
<button>Log in with password and code</button>
</form>`;
  return page(
    passkeyOnly ? 'Confirm with your passkey' : 'Log in',
    parts,
    html`<p>${purpose}</p>
<fieldset><button type="button" class="main" data-passkey="login">Use a passkey</button>
${links}</fieldset>
${passkeyOnly ? null : password}
<p><a href="/login/invitation">I have an invitation</a></p>`,
  );
}

export function invitationPage(parts: PageParts): string {
  return page(
    'Your invitation',
    parts,
    html`<form method="post" action="/login/invitation">${token(parts.csrf)}
<label>Invitation <input name="invitation" autocomplete="off" required></label>
<button class="main">Go on</button>
</form>`,
  );
}

export function enrollPage(parts: PageParts & { name: string; account: string; seed: ShownSeed }): string {
  const { csrf, name, account, seed } = parts;
  return page(
    `Welcome, ${name}`,
    parts,
    html`<p>A passkey is the safest way to log in: it cannot be typed into the wrong page.</p>
<fieldset><button type="button" class="main" data-passkey="enroll">Make a passkey</button></fieldset>
<form method="post" action="/login/enroll">${token(csrf)}
<p>Or choose a password, and add this key to an authenticator app:</p>
<p class="code" id="seed">${seed.secret}</p>
<p><a href="${seed.uri}">Open it in the app on this device</a></p>
<label>Account <input autocomplete="username" value="${account}" readonly></label>
<label>New password, 12 characters or more
<input name="password" type="password" autocomplete="new-password" minlength="12" required></label>
${codeField}
<button>Use password and codes</button>
</form>`,
  );
}

export function devicePage(parts: PageParts): string {
  return page(
    'Log a terminal in',
    parts,
    html`<p>Type the code that the terminal shows. Nobody else's terminal: whoever sent you a code wants to be you.</p>
<form method="post" action="/login/device">${token(parts.csrf)}
<label>Code <input name="user_code" class="code" autocomplete="off" autocapitalize="characters" required></label>
<button class="main">Go on</button>
</form>`,
  );
}

export function confirmPage(
  parts: PageParts & { device: DeviceRequest; name: string; userCode: string },
): string {
  const { csrf, device, name, userCode } = parts;
  return page(
    'Is this your terminal?',
    parts,
    html`<p>It will be able to do what ${name} may do. Agree only if you have just run <code>tally login</code> there
yourself.</p>
<dl><dt>Code</dt><dd class="code">${userCode}</dd>
<dt>Address</dt><dd>${device.address}</dd><dt>Program</dt><dd>${device.userAgent}</dd></dl>
<form method="post" action="/login/device/confirm">${token(csrf)}
<button name="answer" value="refuse" class="main">No, refuse</button>
<button name="answer" value="agree">Yes, log it in</button>
</form>`,
  );
}

export function messagePage(title: string, text: string): string {
  return page(title, { csrf: '', problem: null }, html`<p>${text}</p>`);
}
