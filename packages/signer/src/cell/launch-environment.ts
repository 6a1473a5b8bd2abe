/** Variables that make Node, the loader of the system or OpenSSL load or write something else. */
const foreign = /^(?:NODE_|LD_|DYLD_|OPENSSL_|GLIBC_TUNABLES$)/;
/** These say where the process runs, and change nothing in it. `NODE_CHANNEL_*` is the supervisor's end. */
const harmless = /^NODE_(?:ENV|VERSION|CHANNEL_FD|CHANNEL_SERIALIZATION_MODE)$/;

/** Whether a variable of the environment can bring foreign code into a Node process. */
export function isForeignVariable(name: string): boolean {
  return foreign.test(name) && !harmless.test(name);
}

/** An environment without what can bring foreign code into a Node process. */
export function launchEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !isForeignVariable(name)));
}
