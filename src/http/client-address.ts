/** Where a request comes from, as far as it is counted. */

import { BlockList, isIP } from "node:net";

/** Of IPv4, and of IPv4 in the words of IPv6, the address; of IPv6 the /64, as one client has all that are in it. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [host = ""] = address.split("%");
  if (isIP(host) !== 6) return address;
  const { hostname } = new URL(`http://[${host}]`); // in its shortest form
  const parts = hostname.slice(1, -1).split("::");
  const [left = [], right = []] = parts.map((part) => part.split(":").filter((group) => group !== ""));
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  return `${[...left, ...zeros, ...right].slice(0, 4).join(":")}::/64`;
}

const PRIVATE = new BlockList();
PRIVATE.addSubnet("127.0.0.0", 8);
PRIVATE.addSubnet("10.0.0.0", 8);
PRIVATE.addSubnet("172.16.0.0", 12);
PRIVATE.addSubnet("192.168.0.0", 16);
PRIVATE.addSubnet("::1", 128, "ipv6");
PRIVATE.addSubnet("fc00::", 7, "ipv6");
PRIVATE.addSubnet("fe80::", 10, "ipv6");

/** An address inside the operator's network is most likely a proxy, with everybody behind it. */
export function isProxy(address: string): boolean {
  const version = isIP(address);
  return version !== 0 && PRIVATE.check(address, version === 6 ? "ipv6" : "ipv4");
}
