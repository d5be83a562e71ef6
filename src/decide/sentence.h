/* What a step decided, in sentences for the log. */
#pragma once

#include "decide/step.h"

void sentences_add(struct step *step);

/* sentence_finding.c: of findings, causes and vantages. */
void findings_tell(struct step *step);
