/* document_rules.c - see document_rules.h. From the leaves up: units, statistics, series, documents. */
#include "jobs/document_rules.h"

#include "base/str.h"

#define MEMBERS(table) .members = (table), .n_members = TA_COUNT(table)
#define NEEDED(name, rule)                                                                         \
    {                                                                                              \
        name, rule, true                                                                           \
    }
#define MAY(name, rule)                                                                            \
    {                                                                                              \
        name, rule, false                                                                          \
    }

/* ---- plain values ------------------------------------------------------------------------------- */

static const struct ta_rule a_string = {.kind = TA_RULE_STRING};
static const struct ta_rule a_number = {.kind = TA_RULE_NUMBER};
static const struct ta_rule an_integer = {.kind = TA_RULE_INTEGER};
static const struct ta_rule a_bool = {.kind = TA_RULE_BOOL};
static const struct ta_rule a_count = {.kind = TA_RULE_INTEGER, .bound = TA_RULE_ABOVE_0};
static const struct ta_rule a_measure = {.kind = TA_RULE_NUMBER, .bound = TA_RULE_NOT_BELOW_0};

static const struct ta_rule strings = {.kind = TA_RULE_LIST, .items = &a_string};
static const struct ta_rule integers = {.kind = TA_RULE_LIST, .items = &an_integer};
static const struct ta_rule integer_lists = {.kind = TA_RULE_LIST, .items = &integers};
static const struct ta_rule numbers_by_name = {.kind = TA_RULE_OBJECT, .others = &a_number};

static const char *const base_words[] = {"B",  "F", "B/s", "F/s",     "CPI", "IPC",
                                         "Hz", "W", "J",   "\u00b0C", "",    NULL};
static const char *const prefix_words[] = {"K", "M", "G", "T", "P", "E", NULL};
static const struct ta_rule unit_base = {.kind = TA_RULE_STRING, .words = base_words};
static const struct ta_rule unit_prefix = {.kind = TA_RULE_STRING, .words = prefix_words};
static const struct ta_rule_member unit_members[] = {
    NEEDED("base", &unit_base),
    MAY("prefix", &unit_prefix),
};
static const struct ta_rule unit = {MEMBERS(unit_members), .kind = TA_RULE_OBJECT};

static const char *const file_system_words[] = {"nfs", "lustre", "gpfs",   "nvme",
                                                "ssd", "hdd",    "beegfs", NULL};
static const struct ta_rule file_system_type = {.kind = TA_RULE_STRING, .words = file_system_words};

/* The members of a file system; what each figure is differs between metadata and data. */
#define FILE_SYSTEM(figure)                                                                        \
    NEEDED("name", &a_string), NEEDED("type", &file_system_type), NEEDED("read_bw", figure),       \
        NEEDED("write_bw", figure), MAY("read_req", figure), MAY("write_req", figure),             \
        MAY("inodes", figure), MAY("accesses", figure), MAY("fsync", figure),                      \
        MAY("create", figure), MAY("open", figure), MAY("close", figure), MAY("seek", figure)

/* ---- metadata ----------------------------------------------------------------------------------- */

static const struct ta_rule_member statistic_members[] = {
    NEEDED("unit", &unit),
    NEEDED("avg", &a_measure),
    NEEDED("min", &a_measure),
    NEEDED("max", &a_measure),
};
static const struct ta_rule statistic = {MEMBERS(statistic_members), .kind = TA_RULE_OBJECT};

static const struct ta_rule_member meta_file_system_members[] = {FILE_SYSTEM(&statistic)};
static const struct ta_rule meta_file_system = {MEMBERS(meta_file_system_members),
                                                .kind = TA_RULE_OBJECT};
static const struct ta_rule meta_file_systems = {
    .kind = TA_RULE_LIST, .items = &meta_file_system, .items_min = 1};

static const struct ta_rule_member statistics_members[] = {
    NEEDED("cpu_user", &statistic),
    NEEDED("cpu_load", &statistic),
    NEEDED("mem_used", &statistic),
    NEEDED("flops_any", &statistic),
    NEEDED("mem_bw", &statistic),
    MAY("net_bw", &statistic),
    MAY("ipc", &statistic),
    MAY("flops_dp", &statistic),
    MAY("flops_sp", &statistic),
    MAY("vectorization_ratio", &statistic),
    MAY("cpu_power", &statistic),
    MAY("mem_power", &statistic),
    MAY("acc_utilization", &statistic),
    MAY("acc_mem_used", &statistic),
    MAY("acc_power", &statistic),
    MAY("clock", &statistic),
    MAY("eth_read_bw", &statistic),
    MAY("eth_write_bw", &statistic),
    MAY("ic_rcv_packets", &statistic),
    MAY("ic_send_packets", &statistic),
    MAY("ic_read_bw", &statistic),
    MAY("ic_write_bw", &statistic),
    MAY("filesystems", &meta_file_systems),
};
static const struct ta_rule statistics = {MEMBERS(statistics_members), .kind = TA_RULE_OBJECT};

static const struct ta_rule_member resource_members[] = {
    NEEDED("hostname", &a_string),
    MAY("hwthreads", &integers),
    MAY("accelerators", &strings),
    MAY("configuration", &a_string),
};
static const struct ta_rule resource = {MEMBERS(resource_members), .kind = TA_RULE_OBJECT};
static const struct ta_rule resources = {.kind = TA_RULE_LIST, .items = &resource};

static const struct ta_rule_member meta_data_members[] = {
    MAY("jobScript", &a_string),
    MAY("jobName", &a_string),
    MAY("slurmInfo", &a_string),
};
static const struct ta_rule meta_data = {MEMBERS(meta_data_members), .kind = TA_RULE_OBJECT};

static const struct ta_rule_member tag_members[] = {
    NEEDED("name", &a_string),
    NEEDED("type", &a_string),
    MAY("scope", &a_string),
    MAY("id", &an_integer),
};
static const struct ta_rule tag = {MEMBERS(tag_members), .kind = TA_RULE_OBJECT};
static const struct ta_rule tags = {.kind = TA_RULE_LIST, .items = &tag, .is_set = true};

static const struct ta_rule_member concurrent_job_members[] = {
    NEEDED("id", &an_integer),
    NEEDED("jobId", &an_integer),
};
static const struct ta_rule concurrent_job = {MEMBERS(concurrent_job_members),
                                              .kind = TA_RULE_OBJECT};
static const struct ta_rule concurrent_jobs = {.kind = TA_RULE_LIST, .items = &concurrent_job};
static const struct ta_rule_member concurrent_members[] = {
    NEEDED("items", &concurrent_jobs),
    NEEDED("count", &an_integer),
};
static const struct ta_rule concurrent = {MEMBERS(concurrent_members), .kind = TA_RULE_OBJECT};

static const char *const shared_words[] = {"none", "single_user", "multi_user", NULL};
static const struct ta_rule shared = {.kind = TA_RULE_STRING, .words = shared_words};
static const char *const state_words[] = {
    "boot_fail", "cancelled", "completed", "deadline",  "failed",  "node_fail", "out_of_memory",
    "pending",   "preempted", "running",   "suspended", "timeout", NULL};
static const struct ta_rule state = {.kind = TA_RULE_STRING, .words = state_words};

static const struct ta_rule_member meta_members[] = {
    NEEDED("jobId", &an_integer),
    NEEDED("user", &a_string),
    NEEDED("project", &a_string),
    NEEDED("cluster", &a_string),
    NEEDED("subCluster", &a_string),
    NEEDED("numNodes", &a_count),
    NEEDED("shared", &shared),
    NEEDED("startTime", &a_count),
    NEEDED("jobState", &state),
    NEEDED("duration", &a_count),
    NEEDED("resources", &resources),
    NEEDED("statistics", &statistics),
    MAY("partition", &a_string),
    MAY("arrayJobId", &an_integer),
    MAY("numHwthreads", &a_count),
    MAY("numAcc", &a_count),
    MAY("monitoringStatus", &an_integer),
    MAY("smt", &an_integer),
    MAY("walltime", &a_count),
    MAY("metaData", &meta_data),
    MAY("tags", &tags),
    MAY("id", &an_integer),
    MAY("submitTime", &an_integer),
    MAY("requestedMemory", &a_count),
    MAY("energy", &a_number),
    MAY("energyFootprint", &numbers_by_name),
    MAY("footprint", &numbers_by_name),
    MAY("concurrentJobs", &concurrent),
};
_Static_assert(TA_COUNT(meta_members) <= TA_RULE_MEMBERS_MAX, "the longest table of all");
const struct ta_rule ta_rules_of_meta = {MEMBERS(meta_members), .kind = TA_RULE_OBJECT};

/* ---- data --------------------------------------------------------------------------------------- */

static const struct ta_rule measures = {.kind = TA_RULE_LIST, .items = &a_measure, .items_min = 3};
static const struct ta_rule_member percentiles_members[] = {
    MAY("10", &measures), MAY("20", &measures), MAY("25", &measures), MAY("30", &measures),
    MAY("40", &measures), MAY("50", &measures), MAY("60", &measures), MAY("70", &measures),
    MAY("75", &measures), MAY("80", &measures), MAY("90", &measures),
};
static const struct ta_rule percentiles = {MEMBERS(percentiles_members), .kind = TA_RULE_OBJECT};
static const struct ta_rule_member statistics_series_members[] = {
    MAY("min", &measures), MAY("max", &measures), MAY("mean", &measures), MAY("median", &measures),
    MAY("percentiles", &percentiles)};
static const struct ta_rule statistics_series = {MEMBERS(statistics_series_members),
                                                 .kind = TA_RULE_OBJECT};

static const struct ta_rule_member one_statistics_members[] = {
    NEEDED("avg", &a_measure),
    NEEDED("min", &a_measure),
    NEEDED("max", &a_measure),
};
static const struct ta_rule one_statistics = {MEMBERS(one_statistics_members),
                                              .kind = TA_RULE_OBJECT};
static const struct ta_rule samples = {.kind = TA_RULE_LIST, .has_number = true, .items_min = 1};
static const struct ta_rule_member one_series_members[] = {
    NEEDED("hostname", &a_string),
    NEEDED("statistics", &one_statistics),
    NEEDED("data", &samples),
    MAY("id", &a_string),
};
static const struct ta_rule one_series = {MEMBERS(one_series_members), .kind = TA_RULE_OBJECT};
static const struct ta_rule series = {.kind = TA_RULE_LIST, .items = &one_series};

static const struct ta_rule_member scope_members[] = {
    NEEDED("unit", &unit),
    NEEDED("timestep", &an_integer),
    NEEDED("series", &series),
    MAY("statisticsSeries", &statistics_series),
};
static const struct ta_rule scope = {MEMBERS(scope_members), .kind = TA_RULE_OBJECT};

/* A metric by its scopes: which of them are looked into. Some need not even be an object. */
static const struct ta_rule_member needed_node_members[] = {NEEDED("node", &scope)};
static const struct ta_rule_member needed_accelerator_members[] = {NEEDED("accelerator", &scope)};
static const struct ta_rule_member power_members[] = {MAY("node", &scope), MAY("socket", &scope)};
static const struct ta_rule_member memory_members[] = {MAY("node", &scope), MAY("socket", &scope),
                                                       MAY("memoryDomain", &scope)};
static const struct ta_rule_member thread_members[] = {
    MAY("node", &scope), MAY("socket", &scope), MAY("memoryDomain", &scope), MAY("core", &scope),
    MAY("hwthread", &scope)};

static const struct ta_rule node_object = {MEMBERS(needed_node_members), .kind = TA_RULE_OBJECT};
static const struct ta_rule of_node = {MEMBERS(needed_node_members)};
static const struct ta_rule of_accelerator = {MEMBERS(needed_accelerator_members)};
static const struct ta_rule of_power = {MEMBERS(power_members), .members_min = 1};
static const struct ta_rule of_memory = {MEMBERS(memory_members), .members_min = 1};
static const struct ta_rule of_thread = {MEMBERS(thread_members), .members_min = 1};

static const struct ta_rule_member data_file_system_members[] = {FILE_SYSTEM(&of_node)};
static const struct ta_rule data_file_system = {MEMBERS(data_file_system_members),
                                                .kind = TA_RULE_OBJECT};
static const struct ta_rule data_file_systems = {
    .kind = TA_RULE_LIST, .items = &data_file_system, .items_min = 1};

static const struct ta_rule_member data_members[] = {
    NEEDED("cpu_user", &of_thread),
    NEEDED("cpu_load", &of_node),
    NEEDED("mem_used", &node_object),
    NEEDED("flops_any", &of_thread),
    NEEDED("mem_bw", &of_memory),
    NEEDED("net_bw", &node_object),
    NEEDED("filesystems", &data_file_systems),
    MAY("ipc", &of_thread),
    MAY("flops_dp", &of_thread),
    MAY("flops_sp", &of_thread),
    MAY("vectorization_ratio", &of_thread),
    MAY("cpu_power", &of_power),
    MAY("mem_power", &of_power),
    MAY("acc_utilization", &of_accelerator),
    MAY("acc_mem_used", &of_accelerator),
    MAY("acc_power", &of_accelerator),
    MAY("clock", &of_thread),
    MAY("eth_read_bw", &of_node),
    MAY("eth_write_bw", &of_node),
    MAY("ic_rcv_packets", &of_node),
    MAY("ic_send_packets", &of_node),
    MAY("ic_read_bw", &of_node),
    MAY("ic_write_bw", &of_node),
};
const struct ta_rule ta_rules_of_data = {MEMBERS(data_members), .kind = TA_RULE_OBJECT};

/* ---- a cluster ---------------------------------------------------------------------------------- */

static const char *const scope_words[] = {
    "node", "socket", "memoryDomain", "core", "hwthread", "accelerator", NULL};
static const char *const aggregation_words[] = {"sum", "avg", NULL};
static const char *const footprint_words[] = {"avg", "max", "min", NULL};
static const char *const energy_words[] = {"power", "energy", NULL};
static const struct ta_rule native_scope = {.kind = TA_RULE_STRING, .words = scope_words};
static const struct ta_rule aggregation = {.kind = TA_RULE_STRING, .words = aggregation_words};
static const struct ta_rule footprint = {.kind = TA_RULE_STRING, .words = footprint_words};
static const struct ta_rule energy = {.kind = TA_RULE_STRING, .words = energy_words};

static const struct ta_rule_member override_members[] = {
    NEEDED("name", &a_string),     MAY("footprint", &footprint), MAY("energy", &energy),
    MAY("lowerIsBetter", &a_bool), MAY("peak", &a_number),       MAY("normal", &a_number),
    MAY("caution", &a_number),     MAY("alert", &a_number),      MAY("remove", &a_bool),
    MAY("restrict", &a_bool),
};
static const struct ta_rule override = {MEMBERS(override_members), .kind = TA_RULE_OBJECT};
static const struct ta_rule overrides = {.kind = TA_RULE_LIST, .items = &override};

static const struct ta_rule_member metric_members[] = {
    NEEDED("name", &a_string),
    NEEDED("unit", &unit),
    NEEDED("scope", &native_scope),
    NEEDED("timestep", &an_integer),
    NEEDED("aggregation", &aggregation),
    NEEDED("peak", &a_number),
    NEEDED("normal", &a_number),
    NEEDED("caution", &a_number),
    NEEDED("alert", &a_number),
    MAY("footprint", &footprint),
    MAY("energy", &energy),
    MAY("lowerIsBetter", &a_bool),
    MAY("restrict", &a_bool),
    MAY("subClusters", &overrides),
};
static const struct ta_rule metric = {MEMBERS(metric_members), .kind = TA_RULE_OBJECT};
static const struct ta_rule metrics = {.kind = TA_RULE_LIST, .items = &metric, .items_min = 1};
static const struct ta_rule sub_metrics = {.kind = TA_RULE_LIST, .items = &metric};

static const struct ta_rule_member amount_members[] = {MAY("unit", &unit), MAY("value", &a_number)};
static const struct ta_rule amount = {MEMBERS(amount_members), .kind = TA_RULE_OBJECT};

static const char *const accelerator_words[] = {"Nvidia GPU", "AMD GPU", "Intel GPU", NULL};
static const struct ta_rule accelerator_type = {.kind = TA_RULE_STRING, .words = accelerator_words};
static const struct ta_rule_member accelerator_members[] = {
    NEEDED("id", &a_string),
    NEEDED("type", &accelerator_type),
    NEEDED("model", &a_string),
};
static const struct ta_rule accelerator = {MEMBERS(accelerator_members), .kind = TA_RULE_OBJECT};
static const struct ta_rule accelerators = {.kind = TA_RULE_LIST, .items = &accelerator};

static const struct ta_rule_member topology_members[] = {
    NEEDED("node", &integers),
    NEEDED("socket", &integer_lists),
    NEEDED("memoryDomain", &integer_lists),
    MAY("die", &integer_lists),
    MAY("core", &integer_lists),
    MAY("accelerators", &accelerators),
};
static const struct ta_rule topology = {MEMBERS(topology_members), .kind = TA_RULE_OBJECT};

static const struct ta_rule_member subcluster_members[] = {
    NEEDED("name", &a_string),
    NEEDED("nodes", &a_string),
    NEEDED("topology", &topology),
    NEEDED("processorType", &a_string),
    NEEDED("socketsPerNode", &an_integer),
    NEEDED("coresPerSocket", &an_integer),
    NEEDED("threadsPerCore", &an_integer),
    NEEDED("flopRateScalar", &amount),
    NEEDED("flopRateSimd", &amount),
    NEEDED("memoryBandwidth", &amount),
    MAY("metricConfig", &sub_metrics),
    MAY("footprint", &strings),
    MAY("energyFootprint", &strings),
};
static const struct ta_rule subcluster = {MEMBERS(subcluster_members), .kind = TA_RULE_OBJECT};
static const struct ta_rule subclusters = {
    .kind = TA_RULE_LIST, .items = &subcluster, .items_min = 1};

static const struct ta_rule_member cluster_members[] = {
    NEEDED("name", &a_string),
    NEEDED("metricConfig", &metrics),
    NEEDED("subClusters", &subclusters),
};
const struct ta_rule ta_rules_of_cluster = {MEMBERS(cluster_members), .kind = TA_RULE_OBJECT};
