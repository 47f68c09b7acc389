// What an app offers beside its messages, above the composer: prompts to choose from, and a line that says that it works.

import { avatar, fill, h } from "./dom.js";
import { nameOf, workspace } from "./workspace.js";

export class Assistant {
  #shown = "";

  /** `send(text)` sends a prompt's message as the person. */
  constructor(send) {
    this.send = send;
    this.element = h("div", { class: "assistant" });
  }

  /** Show what there is in this channel; with a `threadTs`, of this thread alone. */
  render(channel, threadTs = null) {
    const statuses = (channel?.statuses ?? []).filter((one) => !threadTs || one.thread_ts === threadTs);
    const offered = threadTs ? null : channel?.prompts;
    const key = JSON.stringify([channel?.id, statuses, offered]);
    if (key === this.#shown) return;
    this.#shown = key;
    fill(this.element,
      h("div", { class: "assistant-statuses", role: "status", dataset: { testid: "status" } }, statuses.map((one) => {
        const user = workspace.users.get(one.user);
        return h("p", { class: "assistant-status" }, avatar(user, "tiny"), h("span", {}, h("strong", { text: nameOf(user) }), ` ${one.status}`));
      })),
      offered ? h("div", { class: "assistant-prompts", role: "group", "aria-label": offered.title || null, dataset: { testid: "prompts" } },
        offered.title ? h("span", { class: "hint", text: offered.title }) : null,
        offered.prompts.map((one) => h("button", {
          type: "button", class: "assistant-prompt", dataset: { testid: "prompt", message: one.message }, onclick: () => this.send(one.message) }, one.title))) : null);
  }
}
