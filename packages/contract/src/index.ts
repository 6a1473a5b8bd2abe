export * from './answers.ts';
export * from './bodies.ts';
export * from './documents.ts';
export * from './events.ts';
export * from './inputs.ts';
export * from './problems.ts';
export * from './reading.ts';
export * from './route.ts';
export * from './routes.ts';
export function openApiDocument(): Record<string, unknown> { return {}; }
