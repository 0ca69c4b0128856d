/** Where a webhook may go: every spelling of what it may not. */
import t from 'tap'
import {
  type AddressPolicy,
  createCheckUrl,
  createLookup,
  findUrlFault,
  isPublic
} from '../../src/webhooks/webhook-address.transport.ts'

const resolvesTo =
  (...addresses: string[]) =>
  async () =>
    addresses
const strict: AddressPolicy = { allowLoopback: false, resolve: resolvesTo('93.184.215.14') }
const local: AddressPolicy = { ...strict, allowLoopback: true }

const refused: Record<string, readonly string[]> = {
  'no https': [
    ...['http://hooks.example/', 'ftp://hooks.example/', 'file:///etc/passwd', 'gopher://a/'],
    ...['javascript:alert(1)', 'data:text/plain,a', 'ws://hooks.example/', 'https:hooks.example']
  ],
  'no URL': ['', 'hooks.example', 'https://', 'https:///a', '//hooks.example', 'https://a b/'],
  'read otherwise than typed': [
    ...['https:\\\\127.0.0.1', 'https://hooks.example\\@127.0.0.1/', ' https://hooks.example'],
    ...['https://hooks.example\t', 'https://hooks\n.example', 'https:/\\127.0.0.1', 'https://a%00b']
  ],
  'user information': ['https://me@hooks.example', 'https://me:pw@hooks.example', 'https://:p@a.b'],
  'this machine': [
    ...['https://127.0.0.1', 'https://127.0.0.1.', 'https://127.1', 'https://127.0.1'],
    ...['https://2130706433', 'https://017700000001', 'https://0x7f000001', 'https://0x7F.1'],
    ...['https://0177.0.0.1', 'https://127.255.255.254:8443/x', 'https://0', 'https://0.0.0.0'],
    ...['https://1２7.0.0.1', 'https://127。0。0。1', 'https://①②⑦.⓪.⓪.①', 'https://%31%32%37.1'],
    ...['https://localhost', 'https://LOCALHOST.', 'https://a.localhost', 'https://localhost:443/'],
    ...['https://[::1]', 'https://[0:0:0:0:0:0:0:1]', 'https://[::]', 'https://[0::0]']
  ],
  'an IPv4 address within an IPv6 one': [
    ...['https://[::ffff:127.0.0.1]', 'https://[::ffff:7f00:1]', 'https://[::127.0.0.1]'],
    ...['https://[::ffff:0:127.0.0.1]', 'https://[64:ff9b::127.0.0.1]', 'https://[64:ff9b:1::1]'],
    ...['https://[2002:7f00:1::]', 'https://[2002:a00:1::1]', 'https://[2001::7f00:1]'],
    ...['https://[::ffff:169.254.169.254]', 'https://[::a9fe:a9fe]', 'https://[::ffff:8.8.8.8]']
  ],
  'private networks': [
    ...['https://10.0.0.1', 'https://172.16.0.1', 'https://172.31.255.255', 'https://192.168.0.1'],
    ...['https://0300.0250.1', 'https://3232235521', 'https://[fc00::1]', 'https://[fd12::1]'],
    ...['https://100.64.0.1', 'https://100.127.255.255', 'https://[fec0::1]']
  ],
  'the neighbourhood': [
    ...['https://169.254.169.254/latest/meta-data', 'https://0xa9fea9fe', 'https://169.254.1'],
    ...['https://[fe80::1]', 'https://[fe80::1%25eth0]', 'https://[fe80::1%eth0]']
  ],
  'what is no host': [
    ...['https://224.0.0.1', 'https://239.255.255.255', 'https://255.255.255.255'],
    ...['https://240.0.0.1', 'https://[ff02::1]', 'https://192.0.2.1', 'https://198.51.100.7'],
    ...['https://203.0.113.9', 'https://198.18.0.1', 'https://192.0.0.8', 'https://192.88.99.1'],
    ...['https://0.1.2.3', 'https://[2001:db8::1]', 'https://[3fff::1]', 'https://[100::1]'],
    ...['https://[2001:2::1]', 'https://[2001:10::1]', 'https://[5f00::1]', 'https://[4000::1]'],
    ...['https://256.1.1.1', 'https://1.2.3.4.5', 'https://[::g]', 'https://[1::2::3]']
  ]
}
for (const [what, urls] of Object.entries(refused)) {
  t.test(`refused: ${what}`, async (t) => {
    for (const url of urls) t.type(await createCheckUrl(strict)(url), 'string', url)
  })
}

t.test('a public address or name over https is taken, on any port', async (t) => {
  for (const url of [
    ...['https://hooks.example', 'https://hooks.example./a?b=c#d', 'https://hooks.example:8443/'],
    ...['HTTPS://HOOKS.EXAMPLE/', 'https://93.184.215.14/', 'https://1.1.1.1:8080/x'],
    ...['https://[2606:4700::1111]/', 'https://bücher.example/', 'https://100.63.255.255'],
    ...['https://172.32.0.1', 'https://11.0.0.1', 'https://localhost.example']
  ]) {
    t.equal(await createCheckUrl(strict)(url), null, url)
  }
})

t.test('F12: a new URL names a port that is allowed, but for this machine’s own', async (t) => {
  const policy = { ...local, ports: [443, 8443] }
  const check = createCheckUrl(policy)
  for (const url of ['https://hooks.example', 'https://1.1.1.1:8443', 'http://127.0.0.1:9/x']) {
    t.equal(await check(url), null, url)
  }
  for (const url of ['https://hooks.example:22', 'https://1.1.1.1:80/', 'https://a.example:444']) {
    t.match(await check(url), /443, 8443/, url)
    t.equal(findUrlFault(url, policy), null, 'one that was taken before is still sent to')
  }
  t.match(
    await createCheckUrl({ ...policy, allowLoopback: false })('https://127.0.0.1:9'),
    /private/
  )
})

t.test('every address of a name counts', async (t) => {
  const of = (...addresses: string[]) =>
    createCheckUrl({ allowLoopback: false, resolve: resolvesTo(...addresses) })(
      'https://hooks.example'
    )
  t.equal(await of('1.1.1.1', '2606:4700::1111'), null)
  for (const bad of [
    '127.0.0.1',
    '10.1.1.1',
    '169.254.169.254',
    '::1',
    'fd00::1',
    '::ffff:1.1.1.1'
  ])
    t.match(await of('1.1.1.1', bad), /private or special/, bad)
})

t.test('a name that does not resolve, or not in time, is taken', async (t) => {
  const fails = { allowLoopback: false, resolve: () => Promise.reject(new Error('ENOTFOUND')) }
  t.equal(await createCheckUrl(fails)('https://hooks.example'), null)
  const hangs = { allowLoopback: false, resolve: () => new Promise<string[]>(() => {}) }
  const begun = performance.now()
  t.equal(await createCheckUrl(hangs)('https://hooks.example'), null)
  t.ok(performance.now() - begun < 3_000)
})

t.test(
  'with loopback allowed, this machine is taken also over http, and nothing else',
  async (t) => {
    const check = createCheckUrl({ ...local, resolve: resolvesTo('127.0.0.1') })
    for (const url of [
      ...['http://127.0.0.1:9000/x', 'http://localhost:9000', 'https://localhost', 'http://[::1]/'],
      ...['https://127.0.0.1:1', 'http://127.1.2.3', 'https://hooks.example']
    ]) {
      t.equal(await check(url), null, url)
    }
    for (const url of [
      ...['http://hooks.example', 'http://1.1.1.1', 'https://10.0.0.1', 'http://0.0.0.0'],
      ...[
        'https://169.254.169.254',
        'http://[::ffff:127.0.0.1]',
        'http://[::]',
        'http://a@localhost'
      ]
    ]) {
      t.type(await check(url), 'string', url)
    }
  }
)

t.test('a connection is made to what was looked up and is allowed, or not at all', async (t) => {
  const lookUp = (policy: AddressPolicy, protocol: string, all: boolean) =>
    new Promise((resolve) => {
      createLookup(protocol, policy)('hooks.example', { all }, (error, found) =>
        resolve(error?.message ?? found)
      )
    })
  const policy = { allowLoopback: false, resolve: resolvesTo('1.1.1.1', '2606:4700::1111') }
  t.same(await lookUp(policy, 'https:', true), [
    { address: '1.1.1.1', family: 4 },
    { address: '2606:4700::1111', family: 6 }
  ])
  t.equal(await lookUp(policy, 'https:', false), '1.1.1.1')
  const mixed = { ...policy, resolve: resolvesTo('1.1.1.1', '127.0.0.1') }
  t.match(await lookUp(mixed, 'https:', true), /private or special/)
  t.match(await lookUp({ ...mixed, allowLoopback: true }, 'http:', true), /private or special/)
  t.match(await lookUp({ ...policy, resolve: resolvesTo() }, 'https:', true), /special/)
})

t.test('what is not an address as the DNS has it is not public', async (t) => {
  for (const text of ['', 'a', '1.1', '1.1.1.1.', '0x1.1.1.1', '01.1.1.1', '2606::1%eth0', '[::]'])
    t.notOk(isPublic(text), text)
  t.ok(isPublic('1.1.1.1') && isPublic('2606:4700::1111'))
})
