#!/bin/sh
# check_includes.sh: the arrows of the architecture, read from the includes. Run from the repo root.
#   api -> orchestrator -> sagas; only orchestrator/daemon and main.c see everything
set -u
cd "$(dirname "$0")/../.." || exit 2
broken=0

offence() { # grep output, reason
    [ -z "$1" ] && return
    printf '%s\n  ^ %s\n' "$1" "$2" >&2
    broken=1
}

includes() { # headers, folders...
    headers=$1
    shift
    grep -rnE --include='*.[ch]' "#include [<\"]($headers)" "$@"
}

except() { # files that may
    grep -vE "^($1)"
}

offence "$(includes 'orchestrator/|api/|cli/|pthread|time\.h|sys/|unistd|signal|fcntl|locale' sagas)" \
    'sagas/ is pure: no I/O, clock or threads'
offence "$(grep -rnE --include='*.[ch]' '(^|[^sn_])(printf|puts|fopen|fputs|fwrite|getenv|rand) ?\(' sagas)" \
    'sagas/ is pure: stdio is there for snprintf only'
offence "$(includes 'api/' orchestrator | except 'orchestrator/main\.c|orchestrator/daemon/')" \
    'only the daemon knows both orchestrator/ and api/'
offence "$(includes 'orchestrator/daemon/' orchestrator api | except 'orchestrator/main\.c|orchestrator/daemon/')" \
    'nobody depends on the daemon'
offence "$(includes 'orchestrator/|api/' cli)" 'sagactl shares nothing with the daemon but sagas/'
offence "$(includes 'sagas/|orchestrator/|api/|cli/' participants)" \
    'participants are outsiders: they include nothing of sagad'
offence "$(includes 'tests/|bench/' sagas orchestrator api cli participants)" 'products do not include tests'
offence "$(includes 'libpq' sagas orchestrator api cli | except 'orchestrator/store/')" \
    'PostgreSQL is reached through orchestrator/store/'
offence "$(includes 'librdkafka' sagas orchestrator api cli | except 'orchestrator/bus/')" \
    'Kafka is reached through orchestrator/bus/'
offence "$(includes 'microhttpd' sagas orchestrator api cli | except 'api/http')" \
    'libmicrohttpd is spoken to by one file of api/'
offence "$(includes 'curl/' sagas orchestrator api cli | except 'cli/')" 'libcurl belongs to sagactl'
offence "$(grep -rnE --include='*.[ch]' '#include "[^"]*\.c"' sagas orchestrator api cli participants tests)" \
    'a .c file is not included'

# sagas/ has arrows of its own: rehearsal -> machine -> definition -> expression, schema -> base.
offence "$(includes 'sagas/(calendar|expression|schema|definition|machine)/' sagas/base)" 'sagas/base depends on nothing'
offence "$(includes 'sagas/(expression|schema|definition|machine)/' sagas/calendar)" 'the calendar knows no sagas'
offence "$(includes 'sagas/(schema|definition|machine)/' sagas/expression)" 'expressions know no definitions'
offence "$(includes 'sagas/(expression|definition|machine)/' sagas/schema)" 'schemas know no definitions'
offence "$(includes 'sagas/rehearsal/' sagas/machine)" 'the rules know no rehearsal'
offence "$(includes 'sagas/machine/' sagas/definition)" 'definitions know no machine'

[ "$broken" -eq 0 ] && echo 'the arrows hold'
exit "$broken"
