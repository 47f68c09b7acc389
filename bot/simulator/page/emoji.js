// Emoji by Slack's names, by their Spanish names and by what they mean as labels.

import { currentLanguage } from "./words.js";

const byName = new Map(); // any Slack name -> entry
const meanings = new Map(); // entry -> {name, es, en}: the label that beto reads in this reaction
export const groups = []; // [{id, entries}], "frequent" first

const TONES = ["🏻", "🏼", "🏽", "🏾", "🏿"];

/** Drop accents and capitals, so that "prestamo" finds "Préstamo". */
export const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** The characters allowed between the colons of an emoji, as the source of a regular expression. */
export const NAME = "[\\p{L}\\p{N}_+'’.!&()#*-]+(?:::skin-tone-[2-6])?";

/** Load the list of emoji; the functions below need it. */
export async function loadEmoji() {
  const data = await (await fetch(new URL("emoji.json", import.meta.url))).json();
  for (const { id, emoji } of data.groups) {
    const entries = emoji.map(([char, aliases, spanish]) => {
      const all = aliases.split(" ");
      return { char, name: all[0], aliases: all, spanish, words: fold(`${aliases.replaceAll("_", " ")} ${aliases} ${spanish}`) };
    });
    for (const entry of entries) for (const alias of entry.aliases) if (!byName.has(alias)) byName.set(alias, entry);
    groups.push({ id, entries });
  }
  for (const meaning of data.meanings) {
    const entry = byName.get(meaning.name);
    meanings.set(entry, meaning);
    entry.words = `${fold(`${meaning.es} ${meaning.en}`)} ${entry.words}`;
    entry.name = meaning.name;
  }
  groups.unshift({ id: "frequent", entries: data.meanings.map((meaning) => byName.get(meaning.name)) });
}

/** Return the Unicode emoji of a Slack name (`pray`, `wave::skin-tone-3`), or null. */
export function emojiOf(name) {
  const [base, tone] = name.split("::skin-tone-");
  const entry = byName.get(base);
  return entry ? entry.char + (tone ? TONES[Number(tone) - 2] ?? "" : "") : null;
}

/** Return the label that beto reads in this emoji ("Reclamo"), or null. */
export function meaningOf(entry) {
  return meanings.get(entry)?.[currentLanguage()] ?? null;
}

/** Do as `meaningOf`, by a Slack name. */
export const meaningNamed = (name) => meaningOf(byName.get(name.split("::")[0]));

/** Find at most `limit` entries whose names contain all words of the query; beginnings of words first. */
export function findEmoji(query, limit = 80) {
  const wanted = fold(query.replaceAll(":", "")).trim().split(/\s+/);
  const found = [];
  for (const entry of new Set(byName.values())) {
    if (!wanted.every((word) => entry.words.includes(word))) continue;
    const rank = entry.aliases.includes(wanted[0]) ? 0 : entry.words.startsWith(wanted[0]) ? 1 : entry.words.includes(` ${wanted[0]}`) ? 2 : 3;
    found.push([rank - (meanings.has(entry) ? 0.5 : 0), entry]);
  }
  return found.sort((a, b) => a[0] - b[0]).slice(0, limit).map(([, entry]) => entry);
}
