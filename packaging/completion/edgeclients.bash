# Written by .ci/generate_pages.py.

_edgeclients() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command="" word
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$command $word" in
        ' serve' | ' config' | 'config check' | ' operators' | 'operators add' | 'operators change' | 'operators list' | \
        'operators remove' | 'operators token' | 'operators token add' | 'operators token list' | \
        'operators token remove' | ' events' | 'events status' | ' import' | ' export' | ' move' | ' version' | \
        ' health') command="${command:+$command }$word" ;;
        esac
    done
    COMPREPLY=()
    case "$command $previous" in
    'operators add --output' | 'operators change --output' | 'operators list --output' | 'operators remove --output' | \
    'operators token add --output' | 'operators token list --output' | 'operators token remove --output' | \
    'events status --output' | 'move --output') mapfile -t COMPREPLY < <(compgen -W "text json" -- "$current"); return ;;
    'operators add --name' | 'operators add --domain' | 'operators change --name' | 'operators change --domain' | \
    'operators change --without' | 'operators token add --expires-in' | 'import --domain' | 'import --sheet' | \
    'export --domain' | 'move --to' | 'move --from') return ;;
    'import --key') mapfile -t COMPREPLY < <(compgen -W "id external_id name" -- "$current"); return ;;
    'import --secrets-out' | 'import --report' | 'export --out' | 'move --pepper') compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    'export --format') mapfile -t COMPREPLY < <(compgen -W "csv jsonl" -- "$current"); return ;;
    esac
    local words=""
    case "$command" in
    '') words="serve config operators events import export move version health --version -h --help" ;;
    'serve' | 'config check' | 'version' | 'health') words="-h --help" ;;
    'config') words="check -h --help" ;;
    'operators') words="add change list remove token -h --help" ;;
    'operators add') words="--output --name --domain -h --help" ;;
    'operators change') words="--output --name --domain --without -h --help" ;;
    'operators list' | 'operators remove' | 'operators token list' | 'operators token remove' | 'events status') words="--output -h --help" ;;
    'operators token') words="add list remove -h --help" ;;
    'operators token add') words="--output --expires-in -h --help" ;;
    'events') words="status -h --help" ;;
    'import') words="--domain --key --all-new --dry-run --atomic --sheet --secrets-out --report -h --help" ;;
    'export') words="--domain --format --with-hashes --out -h --help" ;;
    'move') words="--to --from --pepper --output -h --help" ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _edgeclients edgeclients
