/* SPDX-License-Identifier: Apache-2.0 */
/* The interactive prompt: line editing, history and completion by libedit on a terminal, plain lines otherwise. */
#include <config.h>

#include <errno.h>
#include <histedit.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/debug/session.h"

#define PROMPT_HISTORY 500
#define PROMPT_WORDS   32
#define PROMPT_FILE    ".casemate_debug_history"

static char *prompt_text(EditLine *el)
{
	static char text[] = "casemate> ";

	return text;
}

/* Complete the command's name: as far as the names that fit agree; the names themselves when that adds nothing. */
static unsigned char prompt_complete(EditLine *el, int ch)
{
	const LineInfo *l = el_line(el);
	size_t len = (size_t)(l->cursor - l->buffer), common = 0;
	const struct command *c;
	const char *first = NULL;
	char insert[32];
	int fits = 0;

	if (memchr(l->buffer, ' ', len))
		return CC_ERROR;
	for (c = commands; c->name; c++) {
		if (strncmp(c->name, l->buffer, len) != 0)
			continue;
		if (fits++ == 0) {
			first = c->name;
			common = strlen(first);
		}
		while (strncmp(first, c->name, common) != 0)
			common--;
	}
	if (fits == 0)
		return CC_ERROR;
	if (common > len || fits == 1) {
		snprintf(insert, sizeof(insert), "%.*s%s", (int)(common - len), first + len,
			fits == 1 ? " " : "");
		return el_insertstr(el, insert) < 0 ? CC_ERROR : CC_REFRESH;
	}
	putchar('\n');
	for (c = commands; c->name; c++) {
		if (strncmp(c->name, l->buffer, len) == 0)
			printf("%s  ", c->name);
	}
	putchar('\n');
	fflush(stdout);
	return CC_REDISPLAY;
}

/* One line as typed; its errors are shown, only the end of the VM ends the prompt. */
static int prompt_line(struct session *s, const char *text, struct cm_err *err)
{
	char *line = strdup(text), *argv[PROMPT_WORDS];
	int argc = line ? session_split(line, argv, PROMPT_WORDS) : 0;
	int r = 0;

	if (argc < 0)
		fprintf(stderr, "casemate debug: unfinished quote, or too many words\n");
	if (argc > 0)
		r = session_run(s, argc, argv, err);
	free(line);
	if (r < 0 && dbg_fd(s->d) >= 0)
		fprintf(stderr, "casemate debug: %s\n", err->msg);
	return dbg_fd(s->d) < 0 && !s->quit ? r : 0;
}

static int prompt_plain(struct session *s, struct cm_err *err)
{
	char *line = NULL;
	size_t size = 0;
	int r = 0;

	while (!s->quit && r == 0 && getline(&line, &size, stdin) > 0)
		r = prompt_line(s, line, err);
	free(line);
	return r;
}

static int prompt_edit(struct session *s, EditLine *el, History *h, struct cm_err *err)
{
	const char *line;
	HistEvent ev;
	int n, r = 0;

	while (!s->quit && r == 0 && (line = el_gets(el, &n)) != NULL && n > 0) {
		if (line[strspn(line, " \t\n")])
			history(h, &ev, H_ENTER, line);
		r = prompt_line(s, line, err);
	}
	return r;
}

int session_prompt(struct session *s, struct cm_err *err)
{
	const char *home = getenv("HOME");
	char file[4096] = "";
	EditLine *el;
	HistEvent ev;
	History *h;
	int r;

	s->interactive = true;
	if (!isatty(STDIN_FILENO))
		return prompt_plain(s, err);
	el = el_init("casemate-debug", stdin, stdout, stderr);
	h = history_init();
	if (!el || !h)
		return cm_err_set(err, ENOMEM, "start the prompt");
	if (home && *home)
		snprintf(file, sizeof(file), "%s/" PROMPT_FILE, home);
	history(h, &ev, H_SETSIZE, PROMPT_HISTORY);
	history(h, &ev, H_SETUNIQUE, 1);
	el_set(el, EL_HIST, history, h);
	el_set(el, EL_PROMPT, prompt_text);
	el_set(el, EL_EDITOR, "emacs");
	el_set(el, EL_SIGNAL, 1);
	el_set(el, EL_ADDFN, "complete", "complete a command", prompt_complete);
	el_set(el, EL_BIND, "^I", "complete", NULL);
	if (*file)
		history(h, &ev, H_LOAD, file);
	r = prompt_edit(s, el, h, err);
	if (*file)
		history(h, &ev, H_SAVE, file);
	history_end(h);
	el_end(el);
	return r;
}
