// The top of a channel, above its first message: where we are, and for newcomers three things to try.

import { avatar, h, icon } from "./dom.js";
import { isMember, nameOf, theBot, titleOf, workspace } from "./workspace.js";
import { currentLanguage, t } from "./words.js";

let seen = { key: "", node: null };

/** Make a card with one thing to try; a click puts its text into the composer, and the person sends it. */
function card(number, name, code, done, write) {
  return h("li", { class: `try ${done ? "done" : ""}` },
    h("span", { class: "try-number", "aria-hidden": "true" }, done ? icon("check") : String(number)),
    h("strong", { text: t(`try_${number}`) }), h("p", { text: t(`try_${number}_text`) }),
    h("button", { type: "button", class: "try-code", dataset: { testid: `try-${name}` }, "aria-label": `${t("try_write")}: ${code}`, onclick: () => write(code) }, h("code", { text: code })));
}

/** Make the top, or return the same node as before if nothing changed. `answered`: the app has replied here; `write(text)` fills the composer. */
export function intro(channel, answered, write) {
  const bot = theBot();
  const other = channel?.is_im ? workspace.users.get(channel.user) : null;
  const invited = Boolean(bot && channel?.members.includes(bot.id));
  const key = JSON.stringify([channel?.id, answered, invited, currentLanguage(), workspace.me.id]);
  if (seen.key === key) return seen.node;
  const about = other ? t(other.is_bot ? "channel_dm_app" : "channel_dm", { name: nameOf(other) }) : t(channel?.is_private ? "channel_private" : "channel_public");
  const teaches = !other && bot && !answered && channel && isMember(channel);
  const node = h("div", { class: "intro", dataset: { testid: "intro" } },
    h("div", { class: "intro-sign" }, other ? avatar(other, "large") : icon(channel?.is_private ? "lock" : "hash")),
    h("h2", { text: other ? nameOf(other) : t("channel_intro", { name: titleOf(channel) }) }), h("p", { text: about }),
    teaches ? h("div", { class: "tries" }, h("h3", { text: t("try_title") }),
      h("ol", {}, card(1, "invite", `/invite @${bot.name}`, invited, write), card(2, "watch", "/beto watch", false, write), card(3, "message", t("try_example"), false, write)),
      h("p", { class: "hint try-local" }, icon("lock"), t("simulator"))) : null);
  seen = { key, node };
  return node;
}
