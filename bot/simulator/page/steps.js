// Steps of workflows: what people would do in Workflow Builder, with each input in a field and what came of it below.

import { fill, h } from "./dom.js";
import { tryTo } from "./gestures.js";
import { workspace } from "./workspace.js";
import { t } from "./words.js";

const AT_MOST_S = 60;

/** A form that runs one of the steps that apps offer, as a workflow with this one step would. */
export class Steps {
  constructor() {
    this.fields = h("div", { class: "tools-row" });
    this.result = h("pre", { class: "wire-json", tabindex: "0", "aria-label": t("step_result"), dataset: { testid: "step-result" } });
    this.choice = h("select", { class: "field", "aria-label": t("step"), dataset: { testid: "step" }, onchange: () => this.#renderFields() });
    this.run = h("button", { type: "submit", class: "button", dataset: { testid: "step-run" } }, t("step_run"));
    this.element = h("form", { class: "tools-pane", hidden: true, onsubmit: (event) => { event.preventDefault(); this.#run(); } },
      h("div", { class: "tools-row" }, this.choice, this.run), this.fields, this.result);
  }

  /** Show the steps that there are now. */
  render() {
    const before = this.choice.value;
    fill(this.choice, workspace.steps.map((one) => h("option", { value: one.callback_id }, one.title || one.callback_id)));
    if (before) this.choice.value = before;
    this.run.disabled = !workspace.steps.length;
    if (!workspace.steps.length) this.result.textContent = t("step_none");
    this.#renderFields();
  }

  get #step() {
    return workspace.steps.find((one) => one.callback_id === this.choice.value);
  }

  #renderFields() {
    const { properties = {}, required = [] } = this.#step?.input_parameters ?? {};
    fill(this.fields, Object.entries(properties).map(([name, one]) => h("label", { class: "step-input" }, one.title || name,
      h("input", { class: "field", name, required: required.includes(name), dataset: { testid: `step-${name}`, kind: one.type } }))));
  }

  async #run() {
    const inputs = {};
    for (const field of this.fields.querySelectorAll("input")) {
      if (field.value) inputs[field.name] = ["number", "integer"].includes(field.dataset.kind) ? Number(field.value) : field.value;
    }
    this.result.textContent = "…";
    const begun = await tryTo("run_step", { callback_id: this.choice.value, inputs, app: this.#step.app_id });
    const ended = begun && (await tryTo("step", { execution: begun.execution, timeout_s: AT_MOST_S }));
    const { ok, ...shown } = ended ?? {};
    this.result.textContent = ended ? JSON.stringify(shown, null, 2) : "";
  }
}
