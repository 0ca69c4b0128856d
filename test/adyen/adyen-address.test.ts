import t from 'tap'
import { isAdyenAddress } from '../../src/adyen/adyen-address.ts'

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
  '//test.adyen.link/CS1',
  ' https://test.adyen.link/CS1',
  'https://test.adyen.link/\nCS1',
  '/pay/CS1',
  ''
]

t.test('B3: a customer is sent to hosts of Adyen’s for the platform alone', async (t) => {
  for (const environment of ['TEST', 'LIVE'] as const) {
    const other = environment === 'TEST' ? 'LIVE' : 'TEST'
    for (const url of addresses[environment]) t.ok(isAdyenAddress(url, { environment }), url)
    for (const url of addresses[other]) t.notOk(isAdyenAddress(url, { environment }), url)
    for (const url of strangers) t.notOk(isAdyenAddress(url, { environment }), url)
  }
})

t.test('B3: the origin that stands in for Adyen is one of its own', async (t) => {
  const site = { environment: 'TEST', checkoutUrl: 'http://127.0.0.1:3001' } as const
  t.ok(isAdyenAddress('http://127.0.0.1:3001/pay/CS1', site))
  t.notOk(isAdyenAddress('http://127.0.0.1:3002/pay/CS1', site))
  t.notOk(isAdyenAddress('http://user@127.0.0.1:3001/pay/CS1', site))
  t.notOk(isAdyenAddress('https://127.0.0.1:3001/pay/CS1', site))
})
