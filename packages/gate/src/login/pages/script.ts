/** The one script of the login pages: passkeys, and invitations that stand behind the # of an address. */

/** What pages load. It is the text of a function, so that it is checked like all the rest and needs no build. */
export const script: string = `(${inBrowser.toString()})();\n`;

/** Runs in the browser, and so knows nothing of what is outside of it. */
function inBrowser(): void {
  const csrf = document.querySelector('meta[name="csrf"]')?.getAttribute('content') ?? '';
  const problem = document.querySelector('[role="alert"]');

  async function ask<T>(path: string, body: object | undefined): Promise<T> {
    const response = await fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-tally-csrf': csrf },
      body: JSON.stringify(body ?? {}),
    });
    const answer: unknown = await response.json();
    if (!response.ok) throw new Error((answer as { detail: string }).detail);
    return answer as T;
  }

  const asJson = (credential: Credential | null): object | undefined =>
    credential instanceof PublicKeyCredential ? credential.toJSON() : undefined;

  const ceremonies: Record<string, () => Promise<{ location: string }>> = {
    async login() {
      const options = await ask<PublicKeyCredentialRequestOptionsJSON>('/login/passkey/options', {});
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
      return ask('/login/passkey', asJson(await navigator.credentials.get({ publicKey })));
    },
    async enroll() {
      const options = await ask<PublicKeyCredentialCreationOptionsJSON>('/login/enroll/passkey/options', {});
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
      return ask('/login/enroll/passkey', asJson(await navigator.credentials.create({ publicKey })));
    },
  };

  async function run(button: HTMLButtonElement): Promise<void> {
    button.disabled = true;
    problem?.replaceChildren();
    try {
      const next = await ceremonies[button.dataset['passkey'] ?? '']?.();
      if (next !== undefined) location.assign(next.location);
    } catch (error) {
      problem?.replaceChildren(error instanceof Error ? error.message : String(error));
      button.disabled = false;
    }
  }

  for (const button of document.querySelectorAll<HTMLButtonElement>('button[data-passkey]'))
    button.addEventListener('click', () => void run(button));

  // What stands behind the # is sent to no server and so is in no server's log.
  const invitation = document.querySelector<HTMLInputElement>('input[name="invitation"]');
  if (!location.hash.startsWith('#tally_invite_')) return;
  if (invitation === null) {
    location.replace(`/login/invitation${location.hash}`);
  } else {
    invitation.value = decodeURIComponent(location.hash.slice(1));
    history.replaceState(null, '', location.pathname);
  }
}
