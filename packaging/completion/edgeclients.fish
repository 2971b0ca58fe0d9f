# Written by .ci/generate_pages.py.

function __edgeclients_at
    set -l command ""
    for word in (commandline -opc)[2..]
        switch "$command $word"
            case ' serve' ' config' 'config check' ' operators' 'operators add' 'operators change' \
                'operators list' 'operators remove' 'operators token' 'operators token add' \
                'operators token list' 'operators token remove' ' events' 'events status' ' move' ' version' \
                ' health'
                set command (string trim "$command $word")
        end
    end
    test "$command" = "$argv[1]"
end

complete -c edgeclients -f
complete -c edgeclients -n '__edgeclients_at ""' -a serve -d 'run the service'
complete -c edgeclients -n '__edgeclients_at ""' -a config -d 'check the settings'
complete -c edgeclients -n '__edgeclients_at ""' -a operators -d 'manage local operators and their tokens'
complete -c edgeclients -n '__edgeclients_at ""' -a events -d 'show the state of the outbox'
complete -c edgeclients -n '__edgeclients_at ""' -a move -d 'copy everything from the data directory into PostgreSQL, or back'
complete -c edgeclients -n '__edgeclients_at ""' -a version -d 'print the version'
complete -c edgeclients -n '__edgeclients_at ""' -a health -d 'check the health of the service on this machine'
complete -c edgeclients -n '__edgeclients_at ""' -l version -d 'show program'\''s version number and exit'
complete -c edgeclients -n '__edgeclients_at ""' -s h -l help -d 'show the help'
complete -c edgeclients -n '__edgeclients_at "serve"' -s h -l help -d 'show the help'
complete -c edgeclients -n '__edgeclients_at "config"' -a check -d 'print the effective settings, or every fault in them'
complete -c edgeclients -n '__edgeclients_at "config"' -s h -l help -d 'show the help'
complete -c edgeclients -n '__edgeclients_at "config check"' -s h -l help -d 'show the help'
complete -c edgeclients -n '__edgeclients_at "operators"' -a add -d 'add an operator'
complete -c edgeclients -n '__edgeclients_at "operators"' -a change -d 'change an operator'\''s name or domains'
complete -c edgeclients -n '__edgeclients_at "operators"' -a list -d 'list the operators'
complete -c edgeclients -n '__edgeclients_at "operators"' -a remove -d 'remove an operator, with tokens and role memberships'
complete -c edgeclients -n '__edgeclients_at "operators"' -a token -d 'manage an operator'\''s tokens'
complete -c edgeclients -n '__edgeclients_at "operators"' -s h -l help -d 'show the help'
complete -c edgeclients -n '__edgeclients_at "operators add"' -l output -x -a 'text json' -d 'output format'
complete -c edgeclients -n '__edgeclients_at "operators add"' -l name -x -d 'display name'
complete -c edgeclients -n '__edgeclients_at "operators add"' -l domain -x -d 'give access to DOMAIN, as admin or member'
complete -c edgeclients -n '__edgeclients_at "operators add"' -s h -l help -d 'show the help'
complete -c edgeclients -n '__edgeclients_at "operators change"' -l output -x -a 'text json' -d 'output format'
complete -c edgeclients -n '__edgeclients_at "operators change"' -l name -x -d 'new display name'
complete -c edgeclients -n '__edgeclients_at "operators change"' -l domain -x -d 'give or change access to DOMAIN, as admin or member'
complete -c edgeclients -n '__edgeclients_at "operators change"' -l without -x -d 'revoke access to DOMAIN'
complete -c edgeclients -n '__edgeclients_at "operators change"' -s h -l help -d 'show the help'
complete -c edgeclients -n '__edgeclients_at "operators list"' -l output -x -a 'text json' -d 'output format'
complete -c edgeclients -n '__edgeclients_at "operators list"' -s h -l help -d 'show the help'
complete -c edgeclients -n '__edgeclients_at "operators remove"' -l output -x -a 'text json' -d 'output format'
complete -c edgeclients -n '__edgeclients_at "operators remove"' -s h -l help -d 'show the help'
complete -c edgeclients -n '__edgeclients_at "operators token"' -a add -d 'create a token and print it, only this once'
complete -c edgeclients -n '__edgeclients_at "operators token"' -a list -d 'list an operator'\''s tokens'
complete -c edgeclients -n '__edgeclients_at "operators token"' -a remove -d 'remove a token'
complete -c edgeclients -n '__edgeclients_at "operators token"' -s h -l help -d 'show the help'
complete -c edgeclients -n '__edgeclients_at "operators token add"' -l output -x -a 'text json' -d 'output format'
complete -c edgeclients -n '__edgeclients_at "operators token add"' -l expires-in -x -d 'lifetime of the token, such as 720h'
complete -c edgeclients -n '__edgeclients_at "operators token add"' -s h -l help -d 'show the help'
complete -c edgeclients -n '__edgeclients_at "operators token list"' -l output -x -a 'text json' -d 'output format'
complete -c edgeclients -n '__edgeclients_at "operators token list"' -s h -l help -d 'show the help'
complete -c edgeclients -n '__edgeclients_at "operators token remove"' -l output -x -a 'text json' -d 'output format'
complete -c edgeclients -n '__edgeclients_at "operators token remove"' -s h -l help -d 'show the help'
complete -c edgeclients -n '__edgeclients_at "events"' -a status -d 'show the number and age of unsent events, and the last event sent'
complete -c edgeclients -n '__edgeclients_at "events"' -s h -l help -d 'show the help'
complete -c edgeclients -n '__edgeclients_at "events status"' -l output -x -a 'text json' -d 'output format'
complete -c edgeclients -n '__edgeclients_at "events status"' -s h -l help -d 'show the help'
complete -c edgeclients -n '__edgeclients_at "move"' -l to -x -d 'copy the data directory into this database'
complete -c edgeclients -n '__edgeclients_at "move"' -l from -x -d 'copy this database into the data directory'
complete -c edgeclients -n '__edgeclients_at "move"' -l pepper -r -F -d 'file to write a copy of the pepper to, for the service on the new storage'
complete -c edgeclients -n '__edgeclients_at "move"' -l output -x -a 'text json' -d 'output format'
complete -c edgeclients -n '__edgeclients_at "move"' -s h -l help -d 'show the help'
complete -c edgeclients -n '__edgeclients_at "version"' -s h -l help -d 'show the help'
complete -c edgeclients -n '__edgeclients_at "health"' -s h -l help -d 'show the help'
