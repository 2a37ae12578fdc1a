#!/bin/sh
# Prints grosr-diagnose.1.scd: the text of grosr-diagnose.1.scd.in with @FINDINGS@ replaced by the kinds of findings of
# tracer/findings/findings.def, so that the manual has all of them. The lines @EVIDENCE KIND TEXT add what a kind is known
# from.
set -eu
cd "$(dirname "$0")"
awk '
    # In scdoc, _ and * mark emphasis.
    function escape(text) { gsub(/[_*]/, "\\\\&", text); return text }
    function sentence(text) { return toupper(substr(text, 1, 1)) substr(text, 2) }
    FNR == 1 { file++ }
    file == 1 && /^@EVIDENCE / { kind = $2; sub(/^@EVIDENCE [^ ]+ /, ""); evidence[kind] = $0; next }
    file == 1 { line[++lines] = $0; next }
    /^GROSR_FINDING\(/ { entry = "" }
    { entry = entry $0 }
    /^GROSR_FINDING\(|^ +"/ && /\)$/ {
        n = split(entry, part, "\"")
        verdict = tolower(part[3])
        gsub(/[^a-z]/, "", verdict)
        advice = ""
        for (i = 6; i <= n; i += 2) advice = advice part[i]
        out = out "*" escape(part[2]) "* (" verdict ")\n\t" escape(part[4]) ".\n"
        if (part[2] in evidence) out = out "\n\tEvidence: " evidence[part[2]] "\n"
        if (advice != "") out = out "\n\tCure: " escape(advice) "\n"
        out = out "\n"
        found[part[2]] = 1
    }
    END {
        for (kind in evidence)
            if (!(kind in found)) { print "no finding of the kind " kind | "cat >&2"; exit 1 }
        while (lines && line[lines] == "") lines--
        for (i = 1; i <= lines; i++)
            if (line[i] == "@FINDINGS@") printf "%s", substr(out, 1, length(out) - 1)
            else print line[i]
    }' grosr-diagnose.1.scd.in ../tracer/findings/findings.def
