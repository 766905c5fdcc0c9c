package postgres

import (
	"fmt"
	"slices"
	"strings"
)

// flavour is one managed PostgreSQL: what its dumps hold that no other server
// has. Everything else of such a dump is plain PostgreSQL and is restored: the
// provider's roles as roles that may do nothing, its schemas (Supabase's auth and
// storage), its event triggers, its grants.
type flavour struct {
	name string
	// roles that only this provider makes, by which its dumps are known.
	roles []string
	// extensions that are only there, and what for.
	extensions map[string]string
}

// flavours in the order in which they are asked; the extensions are from the
// providers' own lists (2025), and from dumps that people published.
func flavours() []flavour {
	return []flavour{
		{
			name: "Amazon Aurora", // with the roles of RDS
			extensions: map[string]string{
				"apg_plan_mgmt": "query plan management", "aurora_stat_utils": "statistics of its storage", "aws_ml": "calls of SageMaker and Comprehend",
			},
		},
		{
			name:  "Amazon RDS or Aurora",
			roles: []string{"rds_superuser", "rdsadmin", "rds_replication", "rds_iam", "rds_password", "rds_ad", "rds_reserved", "rdstopmgr"},
			extensions: map[string]string{
				"aws_commons": "what its other extensions share", "aws_s3": "files in S3", "aws_lambda": "calls of Lambda",
				"rds_tools": "looking into the server", "rds_activity_stream": "its audit stream", "flow_control": "its replication",
				"log_fdw": "its log files", "pg_transport": "moving databases between its instances", "rds_hpl": "its huge pages",
			},
		},
		{
			name:  "Google Cloud SQL",
			roles: []string{"cloudsqladmin", "cloudsqlsuperuser", "cloudsqlagent", "cloudsqliamuser", "cloudsqliamserviceaccount", "cloudsqlimportexport", "cloudsqlreplica"},
			extensions: map[string]string{
				"google_vacuum_mgmt": "helping vacuum", "google_ml_integration": "calls of Vertex AI", "google_insights": "its query insights",
			},
		},
		{
			name: "Google AlloyDB", roles: []string{"alloydbadmin", "alloydbsuperuser", "alloydbiamuser"},
			extensions: map[string]string{
				"google_columnar_engine": "its columnar store", "google_db_advisor": "its index advisor", "alloydb_scann": "its vector index", "google_job_scheduler": "its jobs",
			},
		},
		{
			name: "Supabase",
			roles: []string{"supabase_admin", "supabase_auth_admin", "supabase_storage_admin", "supabase_replication_admin", "supabase_read_only_user",
				"supabase_realtime_admin", "supabase_functions_admin", "supabase_etl_admin", "supabase_superuser"},
			extensions: map[string]string{
				"pg_graphql": "its GraphQL interface", "supabase_vault": "its vault", "pgsodium": "the keys of its vault", "pg_net": "its calls of HTTP from SQL",
				"wrappers": "its foreign-data wrappers", "supautils": "what its roles may do", "pgjwt": "its tokens",
			},
		},
		{
			name: "Neon", roles: []string{"neon_superuser", "cloud_admin", "neon_service"},
			extensions: map[string]string{
				"neon": "its storage", "neon_utils": "its autoscaling", "neon_test_utils": "its tests", "pg_session_jwt": "its tokens",
			},
		},
		{
			name: "Azure Database", roles: []string{"azure_pg_admin", "azuresu", "azure_superuser"},
			extensions: map[string]string{
				"azure": "looking into the server", "pgaadauth": "signing in with Entra ID", "pg_azure_storage": "files in Blob Storage",
				"azure_storage": "files in Blob Storage", "azure_ai": "calls of Azure AI", "azure_local_ai": "models in the server", "pg_diskann": "its vector index",
			},
		},
	}
}

// flavourOf says who alone has an extension, and what for; "" where anybody may.
func flavourOf(extension string) (name, why string) {
	for _, f := range flavours() {
		if why, ok := f.extensions[extension]; ok {
			return f.name, why
		}
	}
	return "", ""
}

// tellFlavour says of a provider's roles that they are plain ones here.
func (r *restore) tellFlavour() {
	for _, f := range flavours() {
		var there []string
		for _, role := range f.roles {
			if slices.Contains(r.roles, role) {
				there = append(there, role)
			}
		}
		if len(there) > 0 {
			r.skip(fmt.Sprintf("what %s lets the roles %s do: they are plain roles here", f.name, strings.Join(there, ", ")))
		}
	}
}
