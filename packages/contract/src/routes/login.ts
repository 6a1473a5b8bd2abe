/**
 * Routes by which people are let in. Nobody is known before they answer, so they look at what their body shows; the
 * pages for browsers and the endpoints of the built-in issuer are no part of this table.
 */
import type { z } from 'zod';
import type { Nothing } from '../inputs.ts';
import type {
  EnrollmentBody,
  EnrollmentOffer,
  InvitationBody,
  LoggedIn,
  LoginBody,
  LoginDescription,
} from '../login-answers.ts';
import { bodyProblems, commonProblems, jsonMediaType, type Operation, type Route } from '../route.ts';
import { noHeaders, nothing } from '../schemas/inputs.ts';
import {
  enrollmentBody,
  enrollmentOffer,
  invitationBody,
  loggedIn,
  loginBody,
  loginDescription,
} from '../schemas/login.ts';

export interface LetIn<Body, Answer> extends Operation {
  params: Nothing;
  query: Nothing;
  headers: Nothing;
  body: Body;
  answer: Answer;
}

export interface LoginRoutes {
  'login.describe': Route<LetIn<null, LoginDescription>>;
  'login.password': Route<LetIn<LoginBody, LoggedIn>>;
  'enrollment.begin': Route<LetIn<InvitationBody, EnrollmentOffer>>;
  'enrollment.finish': Route<LetIn<EnrollmentBody, LoggedIn>>;
}

interface LetInOptions<Body, Answer> {
  name: string;
  path: string;
  summary: string;
  body: z.ZodType<Body>;
  schema: z.ZodType<Answer>;
  description: string;
}

const BODY_BYTES_MAX = 8_192;
const common = {
  zones: ['admin'],
  auth: 'login',
  tag: 'sessions',
  params: nothing,
  query: nothing,
  headers: noHeaders,
  mutation: false,
  command: null,
} as const;

function letIn<Body, Answer>(options: LetInOptions<Body, Answer>): Route<LetIn<Body, Answer>> {
  const { schema, description, ...rest } = options;
  return {
    ...common,
    ...rest,
    method: 'POST',
    bodyLimit: BODY_BYTES_MAX,
    answers: { 200: { description, mediaType: jsonMediaType, schema } },
    problems: [...commonProblems, ...bodyProblems, 'unauthorized', 'forbidden', 'input_invalid'],
  };
}

export const loginRoutes: LoginRoutes = {
  'login.describe': {
    ...common,
    name: 'login.describe',
    method: 'GET',
    path: '/v1/login',
    summary: 'Say how people log in at this server',
    body: null,
    bodyLimit: 0,
    answers: {
      200: { description: 'Where to log in', mediaType: jsonMediaType, schema: loginDescription },
    },
    problems: [...commonProblems, 'unauthorized'],
  },
  'login.password': letIn({
    name: 'login.password',
    path: '/v1/login',
    summary: 'Log in with password and one-time code',
    body: loginBody,
    schema: loggedIn,
    description: 'A new session',
  }),
  'enrollment.begin': letIn({
    name: 'enrollment.begin',
    path: '/v1/enrollment',
    summary: 'Look at an invitation, and get the key for an authenticator app',
    body: invitationBody,
    schema: enrollmentOffer,
    description: 'Who was invited, and the key; the invitation stays good',
  }),
  'enrollment.finish': letIn({
    name: 'enrollment.finish',
    path: '/v1/enrollment/password',
    summary: 'Choose a password, and show a code of the authenticator app; uses the invitation up',
    body: enrollmentBody,
    schema: loggedIn,
    description: 'A new session',
  }),
};
