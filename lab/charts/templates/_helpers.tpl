{{/* Names and labels, as most charts have them. */}}
{{- define "lab.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if or (contains .Chart.Name .Release.Name) (eq .Chart.Name "app-template") -}}
{{- .Release.Name -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "lab.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "lab.selector" -}}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{/* Anything that a values file calls enabled unless it says otherwise. */}}
{{- define "lab.on" -}}
{{- if not (kindIs "map" .) -}}
{{- else if not (hasKey . "enabled") -}}true
{{- else if eq (toString .enabled) "true" -}}true
{{- end -}}
{{- end }}

{{/* A persistence entry that is a claim of its own. */}}
{{- define "lab.claims" -}}
{{- if include "lab.on" . -}}
{{- if and (has (default "pvc" .type) (list "pvc" "persistentVolumeClaim")) (not .existingClaim) -}}true{{- end -}}
{{- end -}}
{{- end }}
