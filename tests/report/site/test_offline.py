"""The guard that is loaded into node before mystmd: this machine only."""

import subprocess

import pytest

from sevenepochs.report.build import THEME, find_node

SCRIPT = """
const http = require('node:http');
const net = require('node:net');
const dns = require('node:dns/promises');
const said = async (name, task) => console.log(name, await task().then(() => 'reached', (e) => (e.cause ?? e).code));
const get = (url) => new Promise((done, fail) => http.get(url, done).on('error', fail));
const dial = (port, host) => new Promise((done, fail) => net.connect(port, host, done).on('error', fail));
const server = http.createServer((_, answer) => answer.end('hello')).listen(0, 'localhost', async () => {
  const { port } = server.address();
  await said('own', () => get(`http://localhost:${port}/`));
  await said('fetch-own', () => fetch(`http://localhost:${port}/`));
  await said('name', () => get('http://registry.example/'));
  await said('address', () => dial(80, '192.0.2.1'));
  await said('fetch', () => fetch('https://registry.example/'));
  await said('fetch-address', () => fetch('http://192.0.2.1/'));
  process.exit(0);
});
"""


def test_only_this_machine_is_reached(needs_myst: None) -> None:
    command = [str(find_node()), "--require", str(THEME / "offline.cjs"), "-e", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if "EPERM" in done.stderr:
        pytest.skip("no server may be started here")
    lines = dict(line.split() for line in done.stdout.splitlines())
    assert lines == {
        "own": "reached",
        "fetch-own": "reached",
        "name": "EOFFLINE",
        "address": "EOFFLINE",
        "fetch": "EOFFLINE",
        "fetch-address": "EOFFLINE",
    }, done.stderr
