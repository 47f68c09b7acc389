// Some lines of Bolt for JavaScript: a message, a command, a thumb and a workflow's step are answered, prompts, a status and a canvas shown. Says "ready" once it is connected.
import bolt from "@slack/bolt";

const app = new bolt.App({
  token: process.env.SLACK_BOT_TOKEN,
  signingSecret: process.env.SLACK_SIGNING_SECRET,
  appToken: process.env.SLACK_APP_TOKEN,
  socketMode: !process.env.PORT,
  clientOptions: { slackApiUrl: process.env.SLACK_API_URL },
});

app.message("hola", async ({ message, say }) => {
  await say({ text: `eco: ${message.text}`, thread_ts: message.ts });
});

app.command("/beto", async ({ ack, command }) => {
  await ack(`de JavaScript: ${command.text}`);
});

const thumb = (text, value) => ({ text: { type: "plain_text", text }, value });

app.message("pulgares", async ({ message, say, client }) => {
  const feedback = { type: "feedback_buttons", action_id: "thumbs", positive_button: thumb("Sí", "good"), negative_button: thumb("No", "bad") };
  const blocks = [{ type: "context_actions", elements: [feedback] }];
  const { ok } = await client.blocks.validate({ blocks });
  await say({ text: `válido: ${ok}`, blocks, thread_ts: message.ts });
});

app.event("app_home_opened", async ({ event, client }) => {
  if (event.tab !== "messages") return;
  const prompts = [{ title: "Saluda", message: "hola" }];
  await client.assistant.threads.setSuggestedPrompts({ channel_id: event.channel, prompts });
});

app.message("piensa", async ({ message, client }) => {
  const status = { channel_id: message.channel, thread_ts: message.ts, status: "piensa…", loading_messages: ["una", "otra"] };
  await client.assistant.threads.setStatus(status);
});

app.message("guía", async ({ message, client, say }) => {
  const document_content = { type: "markdown", markdown: "# Guía" };
  const { canvas_id } = await client.canvases.create({ channel_id: message.channel, title: "Guía", document_content });
  await client.canvases.edit({ canvas_id, changes: [{ operation: "replace", document_content }] });
  await say({ text: `canvas ${canvas_id}`, thread_ts: message.ts });
});

app.action({ type: "block_actions", action_id: "thumbs" }, async ({ ack, action, body, say }) => {
  await ack();
  await say({ text: `${action.type}: ${action.value}`, thread_ts: body.message.thread_ts });
});

app.function("classify_text", async ({ inputs, complete, fail }) => {
  if (!inputs.text) return fail({ error: "no hay texto" });
  await complete({ outputs: { labels: inputs.text, likeliest: "app", confidence: 0.5, confidences: "app 0.50", sure: false } });
});

await app.start(process.env.PORT);
console.log("ready");
