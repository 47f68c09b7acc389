// The page's words: one line per phrase, Spanish first, English second. `{name}` is filled in.

const WORDS = {
  about_keys: ["Atajos de teclado", "Keyboard shortcuts"],
  add_reaction: ["Añadir una reacción", "Add a reaction"],
  app: ["APP", "APP"],
  apps: ["Aplicaciones", "Apps"],
  ask_delete: ["¿Eliminar este mensaje?", "Delete this message?"],
  ask_delete_text: ["Nadie podrá verlo después, y beto borra también su respuesta.", "Nobody can see it afterwards, and beto deletes its answer too."],
  cancel: ["Cancelar", "Cancel"],
  canvas: ["Canvas", "Canvas"],
  channels: ["Canales", "Channels"],
  channel_intro: ["Este es el comienzo de {name}", "This is the very beginning of {name}"],
  channel_public: ["Canal público: lo ve todo el equipo.", "Public channel: the whole team can see it."],
  channel_private: ["Canal privado: solo lo ven sus miembros.", "Private channel: only its members can see it."],
  channel_dm: ["Esta conversación queda entre {name} y tú.", "This conversation is between {name} and you."],
  channel_dm_app: ["Escribe aquí y {name} etiqueta tu mensaje en su hilo.", "Write here and {name} labels your message in its thread."],
  choose: ["Elige una opción", "Choose an option"],
  choose_many: ["Elige opciones", "Choose options"],
  close: ["Cerrar", "Close"],
  code: ["Código", "Code"],
  commands: ["Órdenes", "Commands"],
  copied: ["Enlace copiado.", "Link copied."],
  copy_link: ["Copiar enlace", "Copy link"],
  cut: ["Ver todo el mensaje", "Show the whole message"],
  delete: ["Eliminar mensaje", "Delete message"],
  delete_yes: ["Eliminar", "Delete"],
  dismiss: ["Descartar", "Dismiss"],
  direct: ["Mensajes directos", "Direct messages"],
  edit: ["Editar mensaje", "Edit message"],
  edited: ["(editado)", "(edited)"],
  emoji: ["Emoji", "Emoji"],
  ephemeral: ["Solo tú puedes ver esto", "Only you can see this"],
  failed: ["No se pudo completar: {why}", "That did not work: {why}"],
  fault_abort: ["Cortar la conexión", "Reset the connection"],
  fault_again: ["Reentregar el próximo", "Redeliver the next"],
  fault_calls: ["Llamadas a la Web API", "Calls of the Web API"],
  fault_calm: ["Calma", "Calm"],
  fault_chaos: ["Caos: semilla y porcentaje", "Chaos: seed and percentage"],
  fault_clock: ["Reloj: escala y saltos", "Clock: scale and steps"],
  fault_copy_new: ["Duplicar con otro event_id", "Duplicate under a new event_id"],
  fault_copy_same: ["Duplicar igual", "Duplicate as it is"],
  fault_deaf: ["Ensordecer", "Deafen"],
  fault_events: ["Eventos", "Events"],
  fault_fail: ["Que falle", "Make it fail"],
  fault_failure: ["Fallo", "Failure"],
  fault_failures: ["Fallos: ratelimited (429), 500, 503, not_json, reset, answer_lost, o cualquier código de Slack. Método * es el que venga.", "Failures: ratelimited (429), 500, 503, not_json, reset, answer_lost, or any code of Slack's. Method * is whichever comes."],
  fault_freeze: ["Congelar", "Freeze"],
  "fault_half-closed": ["Cerrar a medias", "Half-close"],
  fault_hear: ["Devolver el oído", "Undeafen"],
  fault_history: ["Limitar el historial", "Limit the history"],
  fault_late: ["Retrasar 5 s", "Delay by 5 s"],
  fault_link_disabled: ["Apagar Socket Mode", "Switch Socket Mode off"],
  fault_link_enabled: ["Encender Socket Mode", "Switch Socket Mode on"],
  fault_lose_ack: ["Perder un acuse", "Lose an acknowledgement"],
  fault_method: ["Método", "Method"],
  fault_ordered: ["Hecho.", "Done."],
  fault_refresh: ["Renovar (refresh)", "Refresh"],
  fault_reorder: ["Cambiar el orden", "Change the order"],
  fault_rescale: ["Poner la escala", "Set the scale"],
  fault_retry: ["Retry-After en segundos", "Retry-After in seconds"],
  fault_scale: ["Escala", "Scale"],
  fault_seed: ["Semilla", "Seed"],
  fault_share: ["Porcentaje", "Percentage"],
  fault_slow: ["Tardar 5 s", "Take 5 s"],
  fault_sockets: ["Conexiones", "Sockets"],
  fault_start: ["Empezar", "Start"],
  fault_subscribe: ["Reactivar eventos", "Switch events on again"],
  fault_thaw: ["Descongelar", "Thaw"],
  fault_turn_away: ["Rechazar la próxima", "Turn the next away"],
  fault_uninstall: ["Desinstalar la aplicación", "Uninstall the app"],
  fault_waiting: ["Lo que espera", "What is waiting"],
  fault_warning: ["Avisar del cierre", "Warn of the close"],
  faults: ["Fallos", "Faults"],
  file: ["Archivo", "File"],
  find_emoji: ["Busca un emoji, como «tarjeta»", "Search emoji, like “card”"],
  found: ["Resultados", "Results"],
  group_frequent: ["Frecuentes", "Frequent"],
  group_faces: ["Caras", "Faces"],
  group_people: ["Personas y gestos", "People and gestures"],
  group_nature: ["Naturaleza", "Nature"],
  group_food: ["Comida", "Food"],
  group_activities: ["Actividades", "Activities"],
  group_travel: ["Viajes y lugares", "Travel and places"],
  group_objects: ["Objetos", "Objects"],
  group_symbols: ["Símbolos", "Symbols"],
  group_others: ["Todos los demás", "All the others"],
  group_flags: ["Banderas", "Flags"],
  guest: ["Invitado", "Guest"],
  admin: ["Administra", "Admin"],
  here_all: ["Avisa a todo el canal", "Notifies the whole channel"],
  group: ["Mensaje de grupo", "Group message"],
  group_open: ["Abrir", "Open"],
  hint_invite: ["Añade a alguien a este canal", "Adds somebody to this channel"],
  hint_remove: ["Saca a alguien de este canal", "Removes somebody from this channel"],
  home: ["Inicio", "Home"],
  home_empty: ["{name} todavía no ha publicado su inicio.", "{name} has not published its home yet."],
  home_loading: ["Abriendo el inicio…", "Opening the home…"],
  image_external: ["Imagen de otra máquina, no se carga: {name}", "Picture from another machine, not loaded: {name}"],
  invite_bot: ["Invitar a {name}", "Invite {name}"],
  italic: ["Cursiva", "Italic"],
  bold: ["Negrita", "Bold"],
  invited_by: ["por invitación de", "invited by"],
  joined: ["se unió al canal", "joined the channel"],
  left: ["salió del canal", "left the channel"],
  join: ["Unirme al canal", "Join the channel"],
  join_why: ["Estás viendo {name} sin ser miembro.", "You are viewing {name} without being a member."],
  key_arrows: ["Ir al mensaje anterior o siguiente", "Previous or next message"],
  key_ends: ["Primer o último mensaje", "First or last message"],
  key_react: ["Reaccionar al mensaje", "React to the message"],
  key_thread: ["Abrir el hilo del mensaje", "Open the message's thread"],
  key_more: ["Más acciones del mensaje", "More actions for the message"],
  key_edit: ["Editar el mensaje (si es tuyo)", "Edit the message (if yours)"],
  key_channels: ["Canal anterior o siguiente", "Previous or next channel"],
  key_regions: ["Saltar entre canales, mensajes, redacción e hilo", "Jump between channels, messages, composer and thread"],
  key_escape: ["Cerrar lo abierto; volver a escribir", "Close what is open; back to writing"],
  key_send: ["Enviar", "Send"],
  key_newline: ["Línea nueva", "New line"],
  key_last: ["Editar tu último mensaje", "Edit your last message"],
  key_help: ["Mostrar estos atajos", "Show these shortcuts"],
  key_in_list: ["En la lista de mensajes", "In the message list"],
  key_in_composer: ["Al escribir", "While writing"],
  key_anywhere: ["En cualquier parte", "Anywhere"],
  language: ["English", "Español"],
  language_name: ["Cambiar a inglés", "Switch to Spanish"],
  last_reply: ["última: {when}", "last: {when}"],
  loading: ["Cargando…", "Loading…"],
  members: ["Miembros", "Members"],
  members_n: ["{n} miembros", "{n} members"],
  members_1: ["1 miembro", "1 member"],
  mention: ["Mencionar a alguien", "Mention somebody"],
  menu: ["Canales y personas", "Channels and people"],
  messages: ["Mensajes", "Messages"],
  messages_in: ["Mensajes de {name}", "Messages in {name}"],
  more: ["Más acciones", "More actions"],
  new_below: ["Mensajes nuevos", "New messages"],
  no_match: ["Nada coincide con «{text}»", "Nothing matches “{text}”"],
  none_chosen: ["Nada elegido", "Nothing chosen"],
  not_found: ["No existe ese canal o no puedes verlo.", "That channel does not exist or you cannot see it."],
  not_shown: ["Bloque «{type}»: el simulador no lo muestra.", "Block “{type}”: the simulator does not render it."],
  offline: ["Sin conexión con el simulador. Reintentando…", "No connection to the simulator. Retrying…"],
  online: ["Conectado otra vez.", "Connected again."],
  page_after: ["Página siguiente", "Next page"],
  page_before: ["Página anterior", "Previous page"],
  page_of: ["{from}–{to} de {all}", "{from}–{to} of {all}"],
  table: ["Tabla", "Table"],
  task_complete: ["Hecho", "Done"],
  task_error: ["Falló", "Failed"],
  task_in_progress: ["En curso", "In progress"],
  task_pending: ["Pendiente", "Pending"],
  older: ["Mostrar mensajes anteriores", "Show earlier messages"],
  optional: ["(opcional)", "(optional)"],
  private: ["privado", "private"],
  reacted: ["{names} reaccionó con :{emoji}:", "{names} reacted with :{emoji}:"],
  reacted_me: ["Reaccionaste con :{emoji}:", "You reacted with :{emoji}:"],
  reacted_n: ["{names} reaccionaron con :{emoji}:", "{names} reacted with :{emoji}:"],
  remove: ["Quitar {name}", "Remove {name}"],
  replies_1: ["1 respuesta", "1 reply"],
  replies_n: ["{n} respuestas", "{n} replies"],
  reply: ["Responder en el hilo", "Reply in thread"],
  reply_placeholder: ["Responder…", "Reply…"],
  required: ["Completa este campo.", "Complete this field."],
  save: ["Guardar cambios", "Save changes"],
  search: ["Buscar…", "Search…"],
  send: ["Enviar", "Send"],
  send_hint: ["Intro envía · Mayús+Intro, línea nueva", "Enter sends · Shift+Enter, new line"],
  simulator: ["Simulador: nada sale de esta máquina", "Simulator: nothing leaves this machine"],
  slash: ["Órdenes", "Commands"],
  starting: ["Abriendo el espacio de trabajo…", "Opening the workspace…"],
  start_failed: ["El simulador no responde. Comprueba que siga en marcha.", "The simulator does not answer. Check that it is still running."],
  step: ["Paso", "Step"],
  step_none: ["Ninguna aplicación ofrece pasos.", "No app offers steps."],
  step_result: ["Qué dio", "What came of it"],
  step_run: ["Ejecutar", "Run"],
  steps: ["Pasos", "Steps"],
  theme_dark: ["Tema oscuro", "Dark theme"],
  theme_light: ["Tema claro", "Light theme"],
  thread: ["Hilo", "Thread"],
  thread_empty: ["Aún no hay respuestas. Las etiquetas de beto llegan aquí.", "No replies yet. beto's labels arrive here."],
  tombstone: ["Este mensaje se eliminó.", "This message was deleted."],
  tools: ["Herramientas", "Tools"],
  today: ["Hoy", "Today"],
  today_at: ["hoy a las {time}", "today at {time}"],
  try_1: ["Invita a beto", "Invite beto"],
  try_1_text: ["Solo lee los canales a los que alguien lo invitó.", "It reads only the channels that somebody invited it to."],
  try_2: ["Pídele que vigile el canal", "Ask it to watch the channel"],
  try_2_text: ["Así etiqueta cada mensaje; sin esto, solo los que lo mencionan.", "It then labels every message; otherwise only those that mention it."],
  try_3: ["Escribe un mensaje", "Write a message"],
  try_3_text: ["Sus etiquetas llegan al hilo. Si fallan, reacciona a la respuesta.", "Its labels arrive in the thread. If they are wrong, react to the reply."],
  try_example: [
    "Me cobraron dos veces la comisión de la tarjeta y la app no me deja reclamar, lo necesito hoy",
    "Me cobraron dos veces la comisión de la tarjeta y la app no me deja reclamar, lo necesito hoy",
  ],
  try_title: ["Tres cosas para probar", "Three things to try"],
  try_write: ["Escribir", "Write it"],
  unread: ["{n} sin leer", "{n} unread"],
  unknown_person: ["Alguien", "Somebody"],
  who: ["Eres:", "You are:"],
  who_menu: ["Actuar como otra persona", "Act as another person"],
  wire: ["Lo que viaja", "What travels"],
  wire_attempt: ["intento {n}", "attempt {n}"],
  wire_copied: ["Copiado.", "Copied."],
  wire_copy: ["Copiar todo", "Copy all"],
  wire_copy_one: ["Copiar", "Copy"],
  wire_filter: ["Filtrar, como «chat.postMessage»", "Filter, like “chat.postMessage”"],
  wire_from: ["de la aplicación a Slack", "from the app to Slack"],
  wire_to: ["de Slack a la aplicación", "from Slack to the app"],
  write_in: ["Mensaje para {name}", "Message {name}"],
  yesterday: ["Ayer", "Yesterday"],
  yesterday_at: ["ayer a las {time}", "yesterday at {time}"],
  yes: ["Sí", "Yes"],
  you: ["tú", "you"],
};

let language = "es";

/** The language in use: "es" or "en". */
export const currentLanguage = () => language;

/** Set the language of `t`; anything but "en" is Spanish. */
export function setLanguage(wanted) {
  language = wanted === "en" ? "en" : "es";
  document.documentElement.lang = language;
}

/** Return the phrase called `key` in the current language, with `{name}` filled in from `values`. */
export function t(key, values = {}) {
  const phrase = WORDS[key]?.[language === "en" ? 1 : 0] ?? key;
  return phrase.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Return a count in words: "1 respuesta", "3 respuestas"; `key` has the forms `key_1` and `key_n`. */
export const count = (key, n) => t(n === 1 ? `${key}_1` : `${key}_n`, { n });

/** Join names as people say it: "Ana, Luis y María". */
export function names(list) {
  return new Intl.ListFormat(language, { type: "conjunction" }).format(list);
}

const dayOf = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
const dateOf = (ts) => new Date(Number.parseFloat(ts) * 1000);

/** Return the time of day of a Slack timestamp: "9:41". */
export const clock = (ts) => dateOf(ts).toLocaleTimeString(language, { hour: "numeric", minute: "2-digit" });

/** Return a number that is the same for all timestamps of one local day. */
export const dayKey = (ts) => dayOf(dateOf(ts));

/** Return "Hoy", "Ayer", or the date in words. */
export function dayName(ts) {
  const date = dateOf(ts);
  const days = Math.round((dayOf(new Date()) - dayOf(date)) / 86_400_000);
  if (days === 0) return t("today");
  if (days === 1) return t("yesterday");
  const year = date.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  return date.toLocaleDateString(language, { weekday: "long", day: "numeric", month: "long", year });
}

/** Return "hoy a las 9:41", for the line below a message with a thread. */
export function moment(ts) {
  const days = Math.round((dayOf(new Date()) - dayKey(ts)) / 86_400_000);
  if (days === 0) return t("today_at", { time: clock(ts) });
  if (days === 1) return t("yesterday_at", { time: clock(ts) });
  return `${dateOf(ts).toLocaleDateString(language, { day: "numeric", month: "short" })}, ${clock(ts)}`;
}

/** Return the whole date and time, for tooltips. */
export const fullDate = (ts) => dateOf(ts).toLocaleString(language, { dateStyle: "full", timeStyle: "medium" });
