/** What the operator of a log needs of a witness: its keys and address, in the two forms that there are. */
import type { CosignerKeys } from '@tallystick/witness';

export interface PolicyLines {
  name: string;
  url: string;
  vkeys: string[];
  /** Lines of a C2SP tlog-policy: a witness for each key, and a group where there are several. */
  policy: string[];
  /** The same for the file of changes of `tally root propose`. */
  changes: string[];
}

export function policyLines(keys: CosignerKeys, url: string): PolicyLines {
  const [{ name }] = keys;
  const vkeys = keys.map(({ vkeyText }) => vkeyText);
  const names = keys.length === 1 ? [name] : keys.map(({ vkey }) => `${name}/${vkey.alg}`);
  return {
    name,
    url,
    vkeys,
    policy: [
      ...vkeys.map((vkey, at) => `witness ${names[at]} ${vkey} ${url}`),
      ...(keys.length === 1 ? [] : [`group ${name} all ${names.join(' ')}`]),
    ],
    changes: [
      'witnesses:',
      '  add:',
      '    - vkeys:',
      ...vkeys.map((vkey) => `        - ${vkey}`),
      `      url: ${url}`,
    ],
  };
}
