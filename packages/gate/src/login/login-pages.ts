/**
 * The pages behind `/login`.
 *
 * A cookie names a login that is under way and nothing else; it is no session. Whatever a form or the script sends must
 * come from this origin and carry that login's token.
 */
import type { AccountLogin } from './account-login.ts';
import type { Enrollment } from './enrollment.ts';
import type { Federation } from './federation.ts';
import { Interactions, type Wants } from './interactions.ts';
import type { Issuer } from './issuer/issuer.ts';
import { LoginError, statusOf } from './login-error.ts';
import {
  confirmPage,
  devicePage,
  enrollPage,
  invitationPage,
  loginPage,
  messagePage,
} from './pages/pages.ts';
import type { Passkeys } from './passkeys.ts';
import type { Chance, People, Proven, SessionStarter } from './people.ts';
import { cookieOf, json, redirect, type SiteAnswer, type SiteRequest, userAgentOf } from './site-types.ts';
import { Throttle } from './throttle.ts';
import {
  begunElsewhere,
  invitationOf,
  isSame,
  needsPasskey,
  passkeyNeeded,
  takeChallenge,
  type Visit,
} from './visit.ts';

export interface LoginPagesParts extends Chance {
  /** Where browsers find the pages, without a slash at its end. */
  origin: () => string;
  people: People;
  issuer: Issuer;
  accounts: AccountLogin;
  passkeys: Passkeys;
  federation: Federation;
  enrollment: Enrollment;
  sessions: SessionStarter;
  /** `Set-Cookie` headers that hand a session to a browser. */
  sessionCookies: (begun: { token: string; expiresInSeconds: number }) => string[];
}

/** Where the browser goes next. */
interface Next {
  location: string;
  cookies: string[];
}

type Handler = (request: SiteRequest) => SiteAnswer | Promise<SiteAnswer>;
type Page = (visit: Visit, problem: string | null) => string;

const done = '/login/done';
/** Strangers have thousands of these kept for ten minutes. */
const pathLengthMax = 512;

export class LoginPages {
  readonly #parts: LoginPagesParts;
  readonly #interactions: Interactions;
  readonly #deviceThrottle: Throttle;

  constructor(parts: LoginPagesParts) {
    this.#parts = parts;
    this.#interactions = new Interactions(parts);
    this.#deviceThrottle = new Throttle(parts.now);
  }

  get handlers(): [string, Handler][] {
    return [
      ['GET /login', (request) => this.#start(request)],
      ['GET /login/done', () => page(messagePage('You are logged in', 'You can close this page.'))],
      ['GET /login/oidc', (request) => this.#toIssuer(request)],
      ['GET /login/callback', (request) => this.#fromIssuer(request)],
      ['GET /login/invitation', (request) => this.#invitationStart(request)],
      ['GET /login/device', (request) => this.#deviceStart(request)],
      ['POST /login/password', this.#form(this.#loginPage, (visit) => this.#password(visit))],
      ['POST /login/invitation', this.#form(this.#invitationPage, (visit) => this.#invitation(visit))],
      ['POST /login/enroll', this.#form(this.#enrollPage, (visit) => this.#enroll(visit))],
      ['POST /login/device', this.#form(this.#devicePage, (visit) => this.#device(visit))],
      ['POST /login/device/confirm', this.#form(this.#devicePage, (visit) => this.#confirm(visit))],
      ['POST /login/passkey/options', this.#script((visit) => this.#passkeyOptions(visit))],
      ['POST /login/passkey', this.#script((visit) => this.#passkey(visit))],
      ['POST /login/enroll/passkey/options', this.#script((visit) => this.#enrollOptions(visit))],
      ['POST /login/enroll/passkey', this.#script((visit) => this.#enrollPasskey(visit))],
    ];
  }

  /** Begins a login and sends the browser to its page. */
  begin(wants: Wants): SiteAnswer {
    return redirect('/login', [this.#setCookie(this.#interactions.begin(wants).cookie)]);
  }

  // What the person asks for.

  #start(request: SiteRequest): SiteAnswer {
    const returnTo = request.query.get('return');
    const visit = returnTo === null ? this.#visit(request) : undefined;
    if (visit !== undefined) return page(this.#loginPage(visit, null), this.#formTargets(visit));
    const wants: Wants = {
      to: 'browser',
      returnTo: this.#ownPath(returnTo),
      phishingResistant: request.query.has('passkey'),
    };
    return this.begin(wants);
  }

  /** A path of ours, whatever is asked for: nobody is sent elsewhere from here. */
  #ownPath(path: string | null): string {
    const origin = this.#parts.origin();
    if (path === null || path.length > pathLengthMax) return done;
    if (!path.startsWith('/') || !URL.canParse(path, origin)) return done;
    const url = new URL(path, origin);
    return url.origin === origin ? url.pathname + url.search : done;
  }

  #invitationStart(request: SiteRequest): SiteAnswer {
    const visit = this.#visit(request);
    if (visit !== undefined) return page(this.#invitationPage(visit, null));
    const { cookie, interaction } = this.#interactions.begin({
      to: 'browser',
      returnTo: done,
      phishingResistant: false,
    });
    const answer = page(this.#invitationPage({ request, interaction, cookie }, null));
    return { ...answer, cookies: [this.#setCookie(cookie)] };
  }

  #deviceStart(request: SiteRequest): SiteAnswer {
    const visit = this.#visit(request);
    if (visit?.interaction.wants.to !== 'device') return this.begin({ to: 'device', userCode: null });
    return visit.interaction.proven === null ? redirect('/login') : page(this.#devicePage(visit, null));
  }

  // Showing who one is.

  async #password({ request, ...visit }: Visit): Promise<SiteAnswer> {
    if (needsPasskey(visit.interaction.wants)) throw passkeyNeeded();
    const { form, address } = request;
    const given = { password: form.get('password') ?? '', code: form.get('code') ?? '', address };
    const proven = await this.#parts.accounts.logIn(form.get('account') ?? '', given);
    return follow(await this.#arrive({ request, ...visit }, proven));
  }

  async #passkeyOptions({ interaction }: Visit): Promise<object> {
    const options = await this.#parts.passkeys.options();
    interaction.challenge = options.challenge;
    return options;
  }

  async #passkey(visit: Visit): Promise<Next> {
    const proven = await this.#parts.passkeys.verify(visit.request.json, takeChallenge(visit.interaction));
    return this.#arrive(visit, proven);
  }

  async #toIssuer(request: SiteRequest): Promise<SiteAnswer> {
    const { interaction } = this.#guarded(request, request.query.get('csrf'));
    const { url, pending } = await this.#parts.federation.begin(request.query.get('issuer') ?? '', {
      redirectUri: this.#callback(),
      fresh: needsPasskey(interaction.wants),
    });
    interaction.pending = pending;
    return redirect(url.href);
  }

  async #fromIssuer(request: SiteRequest): Promise<SiteAnswer> {
    const visit = this.#visit(request);
    const pending = visit?.interaction.pending ?? null;
    if (visit === undefined || pending === null) throw begunElsewhere();
    visit.interaction.pending = null;
    const returned = new URL(`${this.#callback()}?${request.query.toString()}`);
    return follow(await this.#arrive(visit, await this.#parts.federation.complete(returned, pending)));
  }

  #callback(): string {
    return `${this.#parts.origin()}/login/callback`;
  }

  // Coming to a credential.

  #invitation(visit: Visit): SiteAnswer {
    const secret = visit.request.form.get('invitation') ?? '';
    this.#parts.enrollment.invited(secret);
    visit.interaction.invitation = secret;
    return page(this.#enrollPage(visit, null), this.#formTargets(visit));
  }

  async #enroll(visit: Visit): Promise<SiteAnswer> {
    const { form, address } = visit.request;
    const given = { password: form.get('password') ?? '', code: form.get('code') ?? '', address };
    const proven = await this.#parts.enrollment.withPassword(invitationOf(visit), given);
    return follow(await this.#arrive(visit, proven));
  }

  async #enrollOptions(visit: Visit): Promise<object> {
    const { enrollment, passkeys } = this.#parts;
    const options = await passkeys.registration(enrollment.invited(invitationOf(visit)));
    visit.interaction.challenge = options.challenge;
    return options;
  }

  async #enrollPasskey(visit: Visit): Promise<Next> {
    const { passkeys, enrollment } = this.#parts;
    const passkey = await passkeys.register(visit.request.json, takeChallenge(visit.interaction));
    return this.#arrive(
      visit,
      await enrollment.withPasskey(invitationOf(visit), passkey, visit.request.address),
    );
  }

  // Logging a terminal in.

  #device(visit: Visit): SiteAnswer {
    const { wants, proven } = visit.interaction;
    if (wants.to !== 'device' || proven === null) throw begunElsewhere();
    const giveBack = this.#deviceThrottle.take(proven.principal, visit.request.address);
    const userCode = visit.request.form.get('user_code') ?? '';
    const device = this.#parts.issuer.devices.waiting(userCode);
    if (device === undefined)
      throw new LoginError('not_found', 'no terminal waits for this code: check it, or begin again there');
    giveBack();
    wants.userCode = userCode;
    const { csrf } = visit.interaction;
    const name = this.#parts.people.person(proven.principal)?.name ?? proven.principal;
    return page(confirmPage({ csrf, problem: null, device, name, userCode: userCode.toUpperCase() }));
  }

  #confirm({ request, interaction, cookie }: Visit): SiteAnswer {
    const { wants, proven } = interaction;
    if (wants.to !== 'device' || wants.userCode === null || proven === null) throw begunElsewhere();
    const agrees = request.form.get('answer') === 'agree';
    if (!this.#parts.issuer.devices.answer(wants.userCode, agrees ? proven : 'denied'))
      throw new LoginError('not_found', 'the terminal waits no longer: begin again there');
    this.#interactions.end(cookie);
    const [title, text] = agrees
      ? ['The terminal is logged in', 'Go on there.']
      : ['Refused', 'It gets nothing.'];
    return page(messagePage(title ?? '', text ?? ''));
  }

  /** Gives what was wanted to who is there now. */
  async #arrive({ request, interaction, cookie }: Visit, proven: Proven): Promise<Next> {
    const { wants } = interaction;
    if (needsPasskey(wants) && (proven.strength < 3 || proven.steppedUpAt === null)) throw passkeyNeeded();
    const { issuer, sessions, sessionCookies } = this.#parts;
    if (wants.to === 'device') {
      const renewed = this.#interactions.renew(cookie, interaction);
      interaction.proven = proven;
      return { location: '/login/device', cookies: [this.#setCookie(renewed)] };
    }
    this.#interactions.end(cookie);
    if (wants.to === 'client') return { location: issuer.redirect(wants.request, proven), cookies: [] };
    const { address } = request;
    const begun = await sessions.begin({ ...proven, address, userAgent: userAgentOf(request) });
    return { location: wants.returnTo, cookies: sessionCookies(begun) };
  }

  // What all of them have in common.

  readonly #loginPage: Page = ({ interaction: { csrf, wants } }, problem) => {
    const purpose = {
      client: 'tally asks who you are.',
      browser: '',
      device: 'A terminal asks who you are.',
    };
    const { issuers } = this.#parts.federation;
    return loginPage({
      csrf,
      problem,
      purpose: purpose[wants.to],
      passkeyOnly: needsPasskey(wants),
      issuers,
    });
  };

  readonly #invitationPage: Page = ({ interaction: { csrf } }, problem) => invitationPage({ csrf, problem });

  readonly #devicePage: Page = ({ interaction: { csrf } }, problem) => devicePage({ csrf, problem });

  readonly #enrollPage: Page = (visit, problem) => {
    const { csrf } = visit.interaction;
    const secret = invitationOf(visit);
    const { name, email, id } = this.#parts.enrollment.invited(secret);
    const seed = this.#parts.enrollment.seed(secret);
    return enrollPage({ csrf, problem, name, account: email ?? id, seed });
  };

  /** A form: what is wrong with what it brings is said on its own page. */
  #form(show: Page, act: (visit: Visit) => SiteAnswer | Promise<SiteAnswer>): Handler {
    return async (request) => {
      const visit = this.#guarded(request, request.form.get('csrf'));
      try {
        return await act(visit);
      } catch (error) {
        // Where the login itself has ended, its page has, too.
        if (!(error instanceof LoginError) || this.#visit(request) === undefined) throw error;
        const shown = page(
          shownOr(() => show(visit, error.message), error),
          this.#formTargets(visit),
        );
        return { ...shown, status: statusOf[error.code] };
      }
    };
  }

  /** A request of the script: answered in JSON, with where to go next if it is there. */
  #script(act: (visit: Visit) => Promise<object | Next>): Handler {
    return async (request) => {
      try {
        const visit = this.#guarded(request, request.headers['x-tally-csrf'] ?? null);
        const { cookies = [], ...answer } = (await act(visit)) as Partial<Next>;
        return { ...json(answer), cookies };
      } catch (error) {
        if (!(error instanceof LoginError)) throw error;
        return json({ code: error.code, detail: error.message }, statusOf[error.code]);
      }
    };
  }

  #visit(request: SiteRequest): Visit | undefined {
    const cookie = cookieOf(request, this.#cookieName());
    const interaction = this.#interactions.get(cookie);
    return cookie === undefined || interaction === undefined ? undefined : { request, interaction, cookie };
  }

  /** Throws LoginError where the request is not one that this browser was asked to send by our own page. */
  #guarded(request: SiteRequest, csrf: string | null): Visit {
    const visit = this.#visit(request);
    const { origin, 'sec-fetch-site': site = 'same-origin' } = request.headers;
    const isOurs = request.method === 'GET' || (origin === this.#parts.origin() && site === 'same-origin');
    if (visit === undefined || !isOurs || !isSame(csrf ?? '', visit.interaction.csrf)) throw begunElsewhere();
    return visit;
  }

  #cookieName(): string {
    return this.#parts.origin().startsWith('https:') ? '__Secure-tally_login' : 'tally_login';
  }

  /** Lax, because another issuer sends the browser back here. */
  #setCookie(value: string): string {
    const secure = this.#parts.origin().startsWith('https:') ? '; Secure' : '';
    return `${this.#cookieName()}=${value}; Path=/login; Max-Age=600; HttpOnly; SameSite=Lax${secure}`;
  }

  /** Where a form may lead: browsers hold redirects to it, too. */
  #formTargets({ interaction: { wants } }: Visit): string {
    return wants.to === 'client' ? ` ${new URL(wants.request.redirectUri).origin}` : '';
  }
}

function page(body: string, formTargets: string = ''): SiteAnswer {
  const policy = `default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'${formTargets}; frame-ancestors 'none'; base-uri 'none'`;
  const headers = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy };
  return { status: 200, headers, cookies: [], body };
}

function follow({ location, cookies }: Next): SiteAnswer {
  return redirect(location, cookies);
}

/** Where the page cannot be shown either, what went wrong first is what counts. */
function shownOr(show: () => string, error: LoginError): string {
  try {
    return show();
  } catch {
    throw error;
  }
}
