const mappedPattern = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const groupsOfNetwork = 4;

/** Whom an address of a connection belongs to, for counting: one host has a whole /64 of IPv6 to call from (RFC 6177). */
export function hostOf(address: string): string {
  const mapped = mappedPattern.exec(address)?.[1];
  if (mapped !== undefined || !address.includes(':')) return mapped ?? address;
  const [head = '', tail = ''] = address.split('::', 2);
  const [first, last] = [head, tail].map((part) => part.split(':').filter((group) => group !== '')) as [
    string[],
    string[],
  ];
  const left = Array.from({ length: 8 - first.length - last.length }, () => '0');
  return [...first, ...left, ...last].slice(0, groupsOfNetwork).join(':');
}
