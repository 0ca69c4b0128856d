import client from '@adyen/api-library/lib/src/client.js'
import type { EnvironmentEnum } from '@adyen/api-library/lib/src/config.js'
import { PaymentsApi } from '@adyen/api-library/lib/src/services/checkout/paymentsApi.js'
import t from 'tap'
import { readAdyenAddress, toBaseUrl } from '../../src/adyen/adyen-address.ts'

const addresses = {
  TEST: [
    'https://test.adyen.link/CS9BDC4A59E7DE0D25D',
    'https://checkoutshopper-test.adyen.com/checkoutshopper/threeDS/redirect?a=b#c',
    'https://test.adyen.com/hpp/pay.shtml',
    'https://checkout-test.adyenpayments.com/x'
  ],
  LIVE: [
    'https://eu.adyen.link/PL1',
    'https://checkoutshopper-live.adyen.com/x',
    'https://checkoutshopper-live-us.adyen.com/x',
    'https://0123456789abcdef-Shop-checkout-live.adyenpayments.com/x'
  ]
} as const

const strangers = [
  'javascript:alert(1)',
  'data:text/html,x',
  'http://test.adyen.link/CS1',
  'https://evil.example/CS1',
  'https://test.adyen.link.evil.example/CS1',
  'https://evil-test.adyen.link.example',
  'https://testadyen.link/CS1',
  'https://test.evil-adyen.com/x',
  'https://test.adyen.link@evil.example/',
  'https://user:secret@test.adyen.link/',
  'https://test.adyen.link:8443/CS1',
  'https://evil.example\\@test.adyen.link/',
  'https:\\\\test.adyen.link/',
  `https://test.adyen.link/${'x'.repeat(20_000)}`,
  '//test.adyen.link/CS1',
  ' https://test.adyen.link/CS1',
  'https://test.adyen.link/\nCS1',
  '/pay/CS1',
  ''
]

t.test('B3: a customer is sent to hosts of Adyen’s for the platform alone', async (t) => {
  for (const environment of ['TEST', 'LIVE'] as const) {
    const other = environment === 'TEST' ? 'LIVE' : 'TEST'
    for (const url of addresses[environment]) t.ok(readAdyenAddress(url, { environment }), url)
    for (const url of addresses[other]) t.notOk(readAdyenAddress(url, { environment }), url)
    for (const url of strangers) t.notOk(readAdyenAddress(url, { environment }), url)
  }
})

t.test('B3: whatever its spelling, a customer is sent where it was read to lead', async (t) => {
  for (const [url, address] of [
    ['https:test.adyen.link', 'https://test.adyen.link/'],
    ['https:/test.adyen.link/a', 'https://test.adyen.link/a'],
    ['https:///test.adyen.link/a', 'https://test.adyen.link/a'],
    ['HTTPS://TEST.adyen.LINK:443/A', 'https://test.adyen.link/A'],
    ['https://test\u3002adyen.link/a', 'https://test.adyen.link/a'],
    ['https://test.adyen.link/\u202ea', 'https://test.adyen.link/%E2%80%AEa'],
    ['https://test.adyen.link/<script>', 'https://test.adyen.link/%3Cscript%3E'],
    ['https://test.adyen.link/a/../b', 'https://test.adyen.link/b']
  ] as const) {
    t.equal(readAdyenAddress(url, { environment: 'TEST' }), address, encodeURI(url))
  }
})

t.test('B3: the origin that stands in for Adyen is one of its own', async (t) => {
  const site = { environment: 'TEST', checkoutUrl: 'http://127.0.0.1:3001' } as const
  t.ok(readAdyenAddress('http://127.0.0.1:3001/pay/CS1', site))
  t.notOk(readAdyenAddress('http://127.0.0.1:3002/pay/CS1', site))
  t.notOk(readAdyenAddress('http://user@127.0.0.1:3001/pay/CS1', site))
  t.notOk(readAdyenAddress('https://127.0.0.1:3001/pay/CS1', site))
})

t.test('the base URLs are those of the library, and with them the version', async (t) => {
  const ofLibrary = (environment: string, liveEndpointUrlPrefix?: string) => {
    const settings = {
      environment: environment as EnvironmentEnum,
      ...(liveEndpointUrlPrefix && { liveEndpointUrlPrefix })
    }
    return (new PaymentsApi(new client.default(settings)) as unknown as { baseUrl: string }).baseUrl
  }
  const liveUrlPrefix = '0123456789abcdef-Shop'
  t.equal(toBaseUrl({ environment: 'TEST' }), ofLibrary('TEST'))
  t.equal(toBaseUrl({ environment: 'TEST', liveUrlPrefix }), ofLibrary('TEST', liveUrlPrefix))
  t.equal(toBaseUrl({ environment: 'LIVE', liveUrlPrefix }), ofLibrary('LIVE', liveUrlPrefix))
  t.throws(() => toBaseUrl({ environment: 'LIVE' }), /prefix/)
  t.throws(() => ofLibrary('LIVE'), /prefix/)
  const checkoutUrl = 'http://127.0.0.1:3001'
  t.equal(toBaseUrl({ environment: 'TEST', checkoutUrl }), 'http://127.0.0.1:3001/v72')
  t.equal(
    toBaseUrl({ environment: 'LIVE', liveUrlPrefix, checkoutUrl }),
    'http://127.0.0.1:3001/v72'
  )
})
