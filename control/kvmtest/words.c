/* SPDX-License-Identifier: Apache-2.0 */
/* Words as a shell splits them. No variables but $MAX_SMP, no commands but `date +%s`: what else has a meaning to a shell is an error. */
#include <config.h>
#include "control/kvmtest/kvmtest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX 128

struct splitter {
	const char *at;
	char *word; /* being gathered; as long as the text and what may be put in */
	size_t len;
	bool any;
	struct cm_err *err;
};

static void put(struct splitter *s, const char *text, size_t len)
{
	memcpy(s->word + s->len, text, len);
	s->len += len;
	s->any = true;
}

static int words_backquote(struct splitter *s)
{
	static const char date[] = "`date +%s`";
	char text[24];
	int n;

	if (strncmp(s->at, date, strlen(date)) != 0)
		return cm_err_set(s->err, 0, "a command in backquotes that is not date +%%s");
	n = snprintf(text, sizeof(text), "%lld", (long long)time(NULL));
	put(s, text, (size_t)n);
	s->at += strlen(date);
	return 0;
}

static int words_variable(struct splitter *s)
{
	char text[24];
	int n;

	if (strncmp(s->at, "$MAX_SMP", 8) != 0)
		return cm_err_set(s->err, 0, "a shell expression, '%.20s'", s->at);
	n = snprintf(text, sizeof(text), "%ld", sysconf(_SC_NPROCESSORS_ONLN));
	put(s, text, (size_t)n);
	s->at += 8;
	return 0;
}

static int words_char(struct splitter *s)
{
	if (*s->at == '`')
		return words_backquote(s);
	if (*s->at == '$')
		return words_variable(s);
	if (*s->at == '\\' && s->at[1])
		s->at++;
	put(s, s->at++, 1);
	return 0;
}

/* The inside of quotes, and the closing one. */
static int words_quoted(struct splitter *s, char quote)
{
	s->any = true;
	for (s->at++; *s->at && *s->at != quote;) {
		int r = 0;

		if (quote == '"')
			r = words_char(s);
		else
			put(s, s->at++, 1);
		if (r < 0)
			return r;
	}
	if (!*s->at)
		return cm_err_set(s->err, 0, "a quote (%c) without its end", quote);
	s->at++;
	return 0;
}

/* One word: 1, 0 at the end of the text, or -errno. */
static int words_next(struct splitter *s)
{
	int r = 0;

	s->len = 0;
	s->any = false;
	while (*s->at == ' ' || *s->at == '\t' || *s->at == '\n')
		s->at++;
	while (r >= 0 && *s->at && *s->at != ' ' && *s->at != '\t' && *s->at != '\n') {
		if (*s->at == '\'' || *s->at == '"')
			r = words_quoted(s, *s->at);
		else
			r = words_char(s);
	}
	s->word[s->len] = '\0';
	return r < 0 ? r : s->any;
}

int kt_words(const char *text, char ***out, struct cm_err *err)
{
	/* A variable or command grows by less than 24 bytes and is at least 8 long. */
	struct splitter s = { .at = text, .word = malloc(strlen(text) * 4 + 32), .err = err };
	char **words = calloc(WORDS_MAX + 1, sizeof(*words));
	int n = 0, r = s.word && words ? 1 : cm_err_set(err, ENOMEM, "words");

	while (r == 1 && (r = words_next(&s)) == 1) {
		if (n == WORDS_MAX)
			r = cm_err_set(err, 0, "more than %d words", WORDS_MAX);
		else if (!(words[n++] = strdup(s.word)))
			r = cm_err_set(err, ENOMEM, "words");
	}
	free(s.word);
	if (r < 0) {
		kt_words_free(words);
		return r;
	}
	*out = words;
	return n;
}

void kt_words_free(char **words)
{
	for (char **w = words; w && *w; w++)
		free(*w);
	free(words);
}
