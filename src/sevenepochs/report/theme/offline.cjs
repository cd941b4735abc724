// Loaded into node before mystmd: no connection and no name look-up beyond this machine. mystmd asks the npm registry
// for its newest version at every start, and would fetch DOIs, remote images and templates; here each of these is an error.
'use strict';
const dns = require('node:dns');
const net = require('node:net');

const LOCAL = new Set(['localhost', '127.0.0.1', '::1', '0.0.0.0', '::', '']);
const refuse = (host) =>
  Object.assign(new Error(`the site is built offline, and ${host} was asked for`), { code: 'EOFFLINE' });

const lookup = dns.lookup;
dns.lookup = function (host, ...rest) {
  // an address needs no asking: mystmd looks for a free port on each of this machine's own
  if (LOCAL.has(host ?? '') || net.isIP(host)) return lookup.call(this, host, ...rest);
  process.nextTick(rest[rest.length - 1], refuse(host));
};
const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...args) {
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  const host = typeof options === 'object' ? options.host : typeof args[1] === 'string' ? args[1] : '';
  if (options?.path || LOCAL.has(host ?? '')) return connect.apply(this, args);
  process.nextTick(() => this.destroy(refuse(host)));
  return this;
};
