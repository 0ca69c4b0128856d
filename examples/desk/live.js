// What happens elsewhere is shown here: the parts that changed are fetched again. Without it all
// pages work as well.
const about = document.body.dataset.about

const isTouched = (part) =>
  part.contains(document.activeElement) ||
  [...part.querySelectorAll('input, textarea')].some((one) => one.value !== one.defaultValue)

async function refresh() {
  const answer = await fetch(location.href)
  if (!answer.ok) return
  const next = new DOMParser().parseFromString(await answer.text(), 'text/html')
  for (const part of document.querySelectorAll('[data-live]')) {
    const fresh = next.getElementById(part.id)
    if (fresh === null || isTouched(part) || isSame(part, fresh)) continue
    part.innerHTML = fresh.innerHTML
  }
}

// Each form has a key of its own, which says nothing new.
const isSame = (part, fresh) => {
  const plain = (one) => one.innerHTML.replace(/name="key" value="[^"]*"/g, '')
  return plain(part) === plain(fresh)
}

let timer
new EventSource(`/live?about=${encodeURIComponent(about)}`).onmessage = () => {
  clearTimeout(timer)
  timer = setTimeout(refresh, 100)
}
