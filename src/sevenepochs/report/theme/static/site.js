// What a static page cannot do by itself: the menu on a phone, the colour scheme, search, copying code.
// No library, no request; a page without it shows everything all the same.
'use strict';

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const make = (name, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};

// The menu
const menu = $('.menu');
const side = $('#side');
const showMenu = (open) => {
  side.classList.toggle('open', open);
  menu.setAttribute('aria-expanded', String(open));
  menu.textContent = open ? 'Close' : 'Menu';
};
menu?.addEventListener('click', () => showMenu(!side.classList.contains('open')));
side?.addEventListener('click', (event) => event.target.closest('a') && showMenu(false));
// Not scrollIntoView: that would also make the current page the place where the Tab key starts.
const current = side && $('[aria-current]', side);
if (current) side.scrollTop = Math.max(0, current.offsetTop - side.clientHeight / 2);

// The colour scheme: the system's until the reader chooses
const scheme = $('.scheme');
const system = matchMedia('(prefers-color-scheme: dark)');
const isDark = () => (document.documentElement.dataset.scheme ?? (system.matches ? 'dark' : 'light')) === 'dark';
const showScheme = () => {
  scheme?.setAttribute('aria-pressed', String(isDark()));
};
scheme?.addEventListener('click', () => {
  const chosen = isDark() ? 'light' : 'dark';
  document.documentElement.dataset.scheme = chosen;
  try {
    localStorage.setItem('scheme', chosen);
  } catch {
    // storage is switched off: the choice lasts for this page
  }
  showScheme();
});
system.addEventListener('change', showScheme);
showScheme();

// Copying a listing
for (const listing of $$('.listing')) {
  const button = make('button', { type: 'button', className: 'copy', textContent: 'Copy' });
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText($('pre', listing).innerText);
      button.textContent = 'Copied';
    } catch {
      button.textContent = 'Not allowed';
    }
    setTimeout(() => (button.textContent = 'Copy'), 1500);
  });
  listing.append(button);
}

// The heading that is being read, in the page's contents
const marks = new Map($$('.contents a').map((link) => [decodeURIComponent(link.hash.slice(1)), link]));
if (marks.size) {
  const headings = [...marks.keys()].map((id) => document.getElementById(id)).filter(Boolean);
  const update = () => {
    const passed = headings.filter((heading) => heading.getBoundingClientRect().top < 120);
    const here = (passed.at(-1) ?? headings[0])?.id;
    marks.forEach((link, id) => link.classList.toggle('here', id === here));
  };
  addEventListener('scroll', update, { passive: true });
  update();
}

// Search: every word must begin a word of the section; titles and headings count more
const dialog = $('dialog.search');
const field = $('#search-words');
const results = $('#search-results');
const status = $('.search-status');
const plain = (text) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
const escaped = (word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
let index;
const prepared = () =>
  (index ??= (window.SITE_INDEX ?? []).map(([title, file, heading, anchor, text]) => ({
    title,
    heading,
    text,
    href: file + (anchor ? `#${anchor}` : ''),
    titleWords: plain(title),
    headingWords: plain(heading),
    words: plain(text),
  })));

function find(words) {
  const patterns = words.map((word) => new RegExp(`(?<![\\p{L}\\p{N}])${escaped(word)}`, 'gu'));
  const found = [];
  for (const section of prepared()) {
    let score = 0;
    for (const pattern of patterns) {
      const inTitle = (section.titleWords.match(pattern) ?? []).length;
      const inHeading = (section.headingWords.match(pattern) ?? []).length;
      const inText = (section.words.match(pattern) ?? []).length;
      if (!inTitle && !inHeading && !inText) {
        score = 0;
        break;
      }
      score += (inTitle && !section.heading ? 12 : inTitle ? 2 : 0) + inHeading * 8 + Math.min(inText, 5);
    }
    if (score) found.push([score, section]);
  }
  return found.sort((a, b) => b[0] - a[0]).slice(0, 20).map(([, section]) => section);
}

function excerpt(text, words) {
  const at = Math.max(0, plain(text).search(new RegExp(escaped(words[0]), 'u')) - 50);
  const cut = (at ? '… ' : '') + text.slice(at, at + 170) + (at + 170 < text.length ? ' …' : '');
  const parts = cut.split(new RegExp(`(${words.map(escaped).join('|')})`, 'giu'));
  return parts.map((part, number) => (number % 2 ? make('mark', { textContent: part }) : part));
}

function search() {
  const words = plain(field.value).split(/\s+/).filter(Boolean);
  const found = words.length ? find(words) : [];
  status.textContent = words.length ? `${found.length || 'No'} ${found.length === 1 ? 'place' : 'places'} found` : '';
  results.replaceChildren(
    ...found.map((section) => {
      const title = section.heading ? `${section.title} › ${section.heading}` : section.title;
      const link = make('a', { href: section.href }, make('strong', { textContent: title }));
      link.append(make('span', {}, ...excerpt(section.text, words)));
      link.addEventListener('click', () => dialog.close());
      return make('li', {}, link);
    }),
  );
}

if (dialog) {
  const open = () => {
    dialog.showModal();
    field.select();
  };
  $('.find').addEventListener('click', open);
  $('.close', dialog).addEventListener('click', () => dialog.close());
  field.addEventListener('input', search);
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  dialog.addEventListener('keydown', (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const links = $$('a', results);
    if (event.key === 'Enter' && event.target === field && links[0]) links[0].click();
    if (!step || !links.length) return;
    event.preventDefault();
    const next = links.indexOf(document.activeElement) + step;
    (links[next] ?? (next < 0 ? field : links.at(-1))).focus();
  });
  addEventListener('keydown', (event) => {
    const typing = /^(input|textarea|select)$/i.test(document.activeElement?.tagName ?? '');
    const asked = event.key === '/' || (event.key === 'k' && (event.ctrlKey || event.metaKey));
    if (asked && !typing && !dialog.open) {
      event.preventDefault();
      open();
    }
    if (event.key === 'Escape' && side?.classList.contains('open')) {
      showMenu(false);
      menu.focus();
    }
  });
}
